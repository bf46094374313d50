"""A guest's row in the list, fifty times a page.

Written as strings because the list is the page that must be quick: the same row as a
template takes about ten times as long. Everything a host or a person said is escaped.
"""

from collections.abc import Callable, Collection
from html import escape
from urllib.parse import quote

from django import template
from django.utils.safestring import SafeString, mark_safe

from guests.actions import KINDS, Kind
from guests.models import Guest
from kvmweb.templatetags import words
from kvmweb.virt.types import DomainState

register = template.Library()

_BUTTONS = {  # what fits the state best, one click away
    DomainState.SHUTOFF: ("start", "Start"),
    DomainState.CRASHED: ("start", "Start"),
    DomainState.PAUSED: ("resume", "Resume"),
}


@register.simple_tag
def guest_row(guest: Guest, *, hosts: bool, hidden: Collection[str] = ()) -> SafeString:
    """The row; kept true by static/js/cells.js. `hosts`: may the person see hosts.

    `hidden` are columns that are left out.
    """
    cells = "".join(
        cell(guest)
        for name, cell in _CELLS.items()
        if name not in hidden and (hosts or name != "host")
    )
    uuid, name = str(guest.pk), escape(guest.name)
    return mark_safe(  # noqa: S308  # each part is escaped where it is made
        f'<tr data-key="{uuid}" data-guest="{uuid}" data-name="{name}" '
        f'data-state="{guest.state}" data-memory="{guest.memory_bytes}"'
        f"{' data-template' if guest.template else ''}>"
        f'<td class="tick"><input type="checkbox" data-select aria-label="Select {name}">'
        f'</td><td data-news="state">{words.state(guest.state)}</td>'
        f'<td class="full"><a class="name" href="/guests/{uuid}/" data-news="name" title="{name}">'
        f"{name}</a>{_beside(guest)}</td>"
        f'{cells}<td class="acts">{_act(guest, uuid, name)}{_menu(uuid, name)}</td></tr>'
    )


def _beside(guest: Guest) -> str:
    """What stands beside the name: a conflict, tags, what is under way."""
    found = ""
    if guest.conflict:
        found = (
            ' <span class="tag warn" title="The same UUID is on another host">'
            "conflict</span>"
        )
    if guest.template:
        found += ' <a class="tag" href="?template=yes">template</a>'
    for tag in guest.tags:
        found += (
            f' <a class="tag" href="?folder={quote(str(tag))}">{escape(str(tag))}</a>'
        )
    if guest.active_operation:
        doing = escape(words.kind(guest.active_operation.kind))
        found += f' <span class="muted" data-news="operation">{doing}…</span>'
    return found


def _host(guest: Guest) -> str:
    inside = "–"
    if guest.host:
        inside = f'<a href="/hosts/{guest.host_id}/">{escape(guest.host.name)}</a>'
    return f'<td data-label="Host">{inside}</td>'


def _cpu(guest: Guest) -> str:
    cpu = guest.sample.cpu_percent if guest.sample else None
    return (
        '<td data-label="CPU"><div class="meter"><span data-news="cpu_percent">'
        f"{words.percent(cpu)}</span>{words.bar(cpu)}</div></td>"
    )


def _memory(guest: Guest) -> str:
    memory = guest.sample.memory_bytes if guest.sample else None
    return (
        '<td data-label="Memory"><div class="meter"><span data-news="memory">'
        f'{words.bytes_(memory)} <span class="muted">of '
        f"{words.bytes_(guest.memory_bytes)}</span></span>"
        f"{words.bar(words.share(memory, guest.memory_bytes))}</div></td>"
    )


def _disk(guest: Guest) -> str:
    told = words.rate(words.disk_bytes_s(guest.sample))
    return f'<td class="number wider" data-news="disk">{told}</td>'


def _network(guest: Guest) -> str:
    told = words.bits(words.net_bytes_s(guest.sample))
    return f'<td class="number wider" data-news="network">{told}</td>'


def _address(guest: Guest) -> str:
    told = words.addresses(guest.addresses)
    return f'<td class="mono narrower" data-label="Address">{told}</td>'


def _uptime(guest: Guest) -> str:
    return f'<td class="number wide">{_lasted(guest)}</td>'


def _lasted(guest: Guest) -> str:
    if guest.state == DomainState.RUNNING:
        return words.since(guest.started_at)
    if guest.state == DomainState.UNKNOWN:
        return words.ago(guest.state_since)
    return ""


_CELLS: dict[str, Callable[[Guest], str]] = {  # numbers, and words that are escaped
    "host": _host,
    "cpu": _cpu,
    "memory": _memory,
    "disk": _disk,
    "network": _network,
    "address": _address,
    "uptime": _uptime,
}


def _act(guest: Guest, uuid: str, name: str) -> str:
    if guest.state == DomainState.RUNNING:
        return (
            f'<a class="button small" href="/guests/{uuid}/console/" aria-label='
            f'"Console of {name}" title="Console">{words.icon("console")}'
            '<span class="word">Console</span></a>'
        )
    if guest.state not in _BUTTONS or guest.template:
        return ""
    act, label = _BUTTONS[DomainState(guest.state)]
    return (
        f'<button class="button small" formaction="/guests/{uuid}/{act}/" '
        f'data-act="{act}" aria-label="{label} {name}" title="{label}">'
        f'{words.icon(act)}<span class="word">{label}</span></button>'
    )


def _menu(uuid: str, name: str) -> str:
    """What else can be done; static/js/rows.js fills it when it is opened."""
    return (
        '<details class="menu" data-menu data-row-actions>'
        '<summary class="button small quiet bare-icon" '
        f'aria-label="More actions on {name}">{words.icon("more")}</summary>'
        f'<div class="items"><a href="/guests/{uuid}/">Open</a></div></details>'
    )


@register.simple_tag
def row_actions() -> list[tuple[Kind, str]]:
    """Every action of a guest with the states it fits, dangerous ones last."""
    kinds = sorted(KINDS.values(), key=lambda kind: kind.danger)
    return [(kind, " ".join(sorted(kind.states))) for kind in kinds]
