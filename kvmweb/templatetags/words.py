"""How numbers, times and states read on pages. static/js/words.js reads them alike."""

from datetime import datetime
from typing import Any

from django import template
from django.contrib.auth.models import AnonymousUser
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from kvmweb.accounts import gate
from kvmweb.accounts.models import User
from kvmweb.live.news import moment as wire
from kvmweb.virt.types import GuestSample

register = template.Library()

NOTHING = "–"
_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_BITS = ("bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s")
_AGES = ((60, 1, "s"), (3600, 60, "min"), (86400, 3600, "h"), (1e12, 86400, "d"))
_KINDS = {  # where pages have a better word than the kind's own
    "guest.migrate": "Move",
    "host.evacuate": "Empty",
    "host.return": "Bring guests home to",
    "guests.balance": "Balance guests",
}
_STATES = {
    "shutting-down": "shutting down",
    "shutoff": "off",
    "crashed": "crashed",
    "connecting": "connecting",
}


Number = float | str | None  # "" is what a template says of a name it does not know


def _known(number: Number) -> float | None:
    return None if number is None or isinstance(number, str) else number


def _short(number: float, step: int, units: tuple[str, ...]) -> str:
    """At most three digits before the point, at most one after it."""
    place = 0
    while place < len(units) - 1 and abs(number) >= step * 0.9995:
        number /= step
        place += 1
    text = f"{number:.0f}" if number >= 100 or not place else f"{number:.1f}"
    return f"{text.removesuffix('.0')} {units[place]}"


@register.filter("bytes")
def bytes_(count: Number) -> str:
    """1610612736 → "1.5 GiB"."""
    known = _known(count)
    return NOTHING if known is None else _short(known, 1024, _BINARY)


@register.filter
def rate(bytes_s: Number) -> str:
    """Bytes a second, for disks: "1.5 MiB/s"."""
    known = _known(bytes_s)
    return NOTHING if known is None else f"{_short(known, 1024, _BINARY)}/s"


@register.filter
def bits(bytes_s: Number) -> str:
    """Bytes a second, for networks, in bits: "12 Mbit/s"."""
    known = _known(bytes_s)
    return NOTHING if known is None else _short(known * 8, 1000, _BITS)


@register.filter
def percent(number: Number) -> str:
    """37.2 → "37 %"; small ones keep a digit."""
    known = _known(number)
    if known is None:
        return NOTHING
    return f"{known:.1f} %" if 0 < known < 9.95 else f"{known:.0f} %"


@register.filter
def share(part: Number, whole: Number) -> float | None:
    """Part of the whole in percent; None when either is not known."""
    some, all_ = _known(part), _known(whole)
    return None if some is None or not all_ else 100 * some / all_


@register.filter
def less(number: Number, other: Number) -> float | None:
    """The difference; None when either is not known."""
    first, second = _known(number), _known(other)
    return None if first is None or second is None else first - second


@register.filter
def disk_bytes_s(sample: GuestSample | None) -> float | None:
    """What a guest reads and writes together."""
    return _sum(sample.disk_read_bytes_s, sample.disk_write_bytes_s) if sample else None


@register.filter
def net_bytes_s(sample: GuestSample | None) -> float | None:
    """What a guest receives and sends together."""
    return _sum(sample.net_rx_bytes_s, sample.net_tx_bytes_s) if sample else None


def _sum(*numbers: float | None) -> float | None:
    """The sum of what is known; None when nothing is."""
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None


@register.filter
def duration(seconds: float | None) -> str:
    """93784 → "1 d 2 h": the two largest units."""
    if seconds is None:
        return NOTHING
    left = int(max(0, seconds))
    parts: list[str] = []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        count, left = divmod(left, size)
        if count or parts:
            parts.append(f"{count} {unit}")
        if len(parts) == 2:
            break
    return " ".join(part for part in parts if not part.startswith("0 ")) or "0 s"


@register.filter
def seconds(number: Number) -> str:
    """Short times: 1.234 → "1.2 s"; from two minutes on as `duration` says them."""
    known = _known(number)
    if known is None:
        return NOTHING
    return f"{known:.1f} s" if known < 120 else duration(known)


@register.filter
def milliseconds(number: Number) -> str:
    """83 → "83 ms", 2345 → "2.3 s"."""
    known = _known(number)
    if known is None:
        return NOTHING
    return f"{known:.0f} ms" if known < 1000 else seconds(known / 1000)


@register.filter
def took(started: datetime | None, ended: datetime | None = None) -> str:
    """How long it lasted, up to now when it has not ended."""
    if not started:
        return NOTHING
    return duration(((ended or timezone.now()) - started).total_seconds())


def _age(at: datetime) -> str:
    seconds = (timezone.now() - at).total_seconds()
    if seconds < 5:
        return "just now" if seconds > -5 else "soon"
    size, unit = next((step, unit) for limit, step, unit in _AGES if seconds < limit)
    return f"{int(seconds // size)} {unit} ago"


def _time(at: datetime | None, kind: str, words: str) -> SafeString:
    if not at:
        return SafeString(NOTHING)
    return format_html(
        '<time datetime="{}" data-time="{}" title="{} UTC">{}</time>',
        wire(at), kind, f"{at:%Y-%m-%d %H:%M:%S}", words,
    )  # fmt: skip


@register.filter
def ago(at: datetime | None) -> SafeString:
    """ "2 min ago", with the exact time on hover; the page keeps it true."""
    return _time(at, "ago", _age(at) if at else "")


@register.filter
def since(at: datetime | None) -> SafeString:
    """How long it has lasted: "3 d 2 h", with the exact beginning on hover."""
    return _time(at, "since", took(at))


@register.filter
def moment(at: datetime | None) -> SafeString:
    """The exact time; the page turns it into the person's zone."""
    return _time(at, "moment", f"{at:%Y-%m-%d %H:%M:%S} UTC" if at else "")


@register.simple_tag
def now_wire() -> str:
    """When this page was made, as live news write times."""
    return wire(timezone.now())


@register.simple_tag
def icon(name: str) -> SafeString:
    """A drawing beside a word; readers don't hear it."""
    return _drawing(name, "icon")


_drawings: dict[tuple[str, str], SafeString] = {}


def _drawing(name: str, css: str) -> SafeString:
    if (name, css) not in _drawings:
        _drawings[name, css] = format_html(
            '<svg class="{}" aria-hidden="true"><use href="{}#{}"/></svg>',
            css, static("icons.svg"), name,
        )  # fmt: skip
    return _drawings[name, css]


@register.filter
def state_word(state: str) -> str:
    """The state as people say it: shutoff → off."""
    return _STATES.get(state, state.replace("-", " ").replace("_", " "))


@register.filter
def state(value: str) -> SafeString:
    """Shape, colour and word of a guest's or host's state."""
    return _state_mark(value, state_word(value))


@register.filter
def operation_state(value: str) -> SafeString:
    """The same of an operation, whose "running" is a state that will end."""
    return _state_mark("working" if value == "running" else value, value)


_OF_VOLUMES = {"ready": "up", "building": "working", "trash": "gone"}


@register.filter
def volume_state(value: str) -> SafeString:
    """The same of a volume: ready, building, in the trash."""
    word = "in the trash" if value == "trash" else value
    return _state_mark(_OF_VOLUMES.get(value, "unknown"), word)


_OF_REQUESTS = {
    "pending": "queued",
    "approved": "working",
    "provisioning": "working",
    "ready": "succeeded",
    "rejected": "gone",
}


@register.filter
def request_state(value: str) -> SafeString:
    """The same of a request: pending, approved, being made, ready and so on."""
    word = "being made" if value == "provisioning" else value
    return _state_mark(_OF_REQUESTS.get(value, value), word)


_state_marks: dict[tuple[str, str], SafeString] = {}


def _state_mark(look: str, word: str) -> SafeString:
    if (look, word) not in _state_marks:
        _state_marks[look, word] = format_html(
            '<span class="state" data-state="{}">{}<span>{}</span></span>',
            look, _drawing(f"state-{look}", "shape"), word,
        )  # fmt: skip
    return _state_marks[look, word]


@register.filter
def bar(number: Number) -> SafeString:
    """A thin bar of so many percent; the number itself stands beside it."""
    known = _known(number)
    width = max(0, min(100, round(known or 0)))
    level = "none" if known is None else "high" if width >= 90 else "normal"
    return mark_safe(  # noqa: S308  # numbers and our own words only
        f'<svg class="bar" data-level="{level}" viewBox="0 0 100 4" '
        'preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="bar-fill" width="{width}" height="4"/></svg>'
    )


@register.filter
def kind(operation_kind: str) -> str:
    """What an operation does, in words: "guest.force-off" → "Force off"."""
    if operation_kind in _KINDS:
        return _KINDS[operation_kind]
    words = operation_kind.rpartition(".")[2].replace("-", " ").replace("_", " ")
    return words.capitalize()


@register.filter
def address(value: str) -> SafeString:
    """An IP address that a click copies."""
    return format_html(
        '<button type="button" class="copy" data-copy="{0}" title="Copy {0}">{0}</button>',
        value,
    )


@register.filter
def addresses(words: str) -> SafeString:
    """The first of a guest's addresses, and how many more there are."""
    known = words.split()
    if not known:
        return SafeString(NOTHING)
    more = format_html(
        ' <span class="muted" title="{}">+{}</span>', " ".join(known), len(known) - 1
    )
    return address(known[0]) + (more if len(known) > 1 else SafeString(""))


@register.filter
def ranges(words: str) -> list[tuple[str, str]]:
    """Time ranges of charts and how they read: "1h 1d" → [("1h", "1 h"), …]."""
    return [(word, f"{word[:-1]} {word[-1]}") for word in words.split()]


@register.filter
def sentence(words: str) -> str:
    """Begun with a capital, but for names like vCPU that are written so."""
    return words if words[1:2].isupper() else words[:1].upper() + words[1:]


@register.filter
def counted(count: int, things: str) -> str:
    """1, "guests" → "1 guest"; 2, "guests" → "2 guests"."""
    return f"{count} {things.removesuffix('s') if count == 1 else things}"


@register.filter
def split(words: str) -> list[str]:
    """The words of a text, to loop over."""
    return words.split()


@register.filter
def leading(actions: list[Any]) -> list[Any]:
    """The few actions that fit now and lose nothing: they are buttons."""
    return [it for it in actions if it.enabled and not it.danger][:3]


@register.filter
def trailing(actions: list[Any]) -> list[Any]:
    """The other actions: they are in the menu, dangerous ones last."""
    shown = leading(actions)
    others = [it for it in actions if it not in shown]
    return sorted(others, key=lambda it: (it.danger, not it.enabled))


@register.filter
def may(user: User | AnonymousUser, right: str) -> bool:
    """Whether the person's role has the right, to leave out what they may never do."""
    return gate.may(user, gate.Right(right))


@register.simple_tag(takes_context=True)
def rail(
    context: dict[str, Any], path: str, title: str, drawing: str, parts: str = ""
) -> SafeString:
    """One entry of the rail; says when it is where we are, or at one of its `parts`."""
    here = context["request"].path
    inside = here == "/" if path == "/" else here.startswith((path, *parts.split()))
    return format_html(
        '<li><a href="{}"{}>{}<span>{}</span></a></li>',
        path,
        SafeString(' aria-current="page"') if inside else "",
        _drawing(drawing, "icon"),
        title,
    )
