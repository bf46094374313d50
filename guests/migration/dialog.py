"""What the pages of moves show: hosts with reasons, buttons, and the cost in words."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from guests.migration import mending, questions
from guests.migration.board import Check
from guests.migration.cost import Estimate
from guests.migration.sides import Reason
from guests.migration.wishes import MoveWish
from guests.models import Guest
from hosts.models import Host
from kvmweb.accounts.gate import Right, may
from kvmweb.accounts.models import User
from kvmweb.templatetags.words import bytes_

_STORAGE = {
    "shared": "Its disks stay where they are: both hosts see them.",
    "copy": "Its disks are copied.",
    "none": "It has no disks to move.",
}
_SECONDS_A_MINUTE = 60


@dataclass(frozen=True, slots=True)
class Told:
    """A reason with its button; "" for none."""

    reason: Reason
    button: str
    edits_host: bool
    sees_host: bool


@dataclass(frozen=True, slots=True)
class Option:
    """A host as one choice of the dialog."""

    host: Host
    ok: bool
    storage: str  # in words
    cost: str  # in words
    why: str  # what the cost rests on
    converges: bool
    reasons: tuple[Told, ...]
    notes: tuple[Told, ...]
    asked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Cell:
    """One field of the matrix."""

    host: Host
    home: bool
    ok: bool
    cost: str  # "1.2 s, copy"
    why: str  # every reason, for the one who points at it


@dataclass(frozen=True, slots=True)
class Line:
    """One guest of the matrix."""

    guest: Guest
    cells: tuple[Cell, ...]

    @property
    def fitting(self) -> int:
        """How many hosts it could go to."""
        return sum(cell.ok for cell in self.cells)


def options(guest: Guest, by: User, wish: MoveWish | None = None) -> list[Option]:
    """Every other host; those that fit first, the quickest before the others."""
    live = None if wish is None else wish.mode == "live"
    found = questions.checks([guest], live=live, wish=wish)[guest.pk]
    others = [check for check in found if check.host.pk != guest.host_id]
    others.sort(key=lambda each: (not each.ok, each.estimate.seconds, each.host.name))
    return [_option(check, by) for check in others]


def matrix(guests: Sequence[Guest], hosts: Sequence[Host]) -> list[Line]:
    """Guests and hosts; a fixed number of queries."""
    found = questions.checks(guests, hosts)
    return [
        Line(guest, tuple(_cell(guest, check) for check in found[guest.pk]))
        for guest in guests
    ]


def cost_in_words(cost: Estimate) -> str:
    """About how long it takes, how long it stands still, what is sent."""
    parts = [f"about {_seconds(cost.seconds)}"]
    if cost.downtime_ms:
        parts.append(f"standing still for about {_ms(cost.downtime_ms)}")
    if cost.bytes:
        parts.append(f"{bytes_(cost.bytes)} to send")
    return ", ".join(parts)


def _option(check: Check, by: User) -> Option:
    return Option(
        host=check.host,
        ok=check.ok,
        storage=_STORAGE[check.storage],
        cost=cost_in_words(check.estimate),
        why=check.estimate.why,
        converges=check.estimate.converges,
        reasons=tuple(_told(check.reasons, by)),
        notes=tuple(_told(check.notes, by)),
        asked_at=check.asked_at,
    )


def _told(reasons: Iterable[Reason], by: User) -> Iterable[Told]:
    edits = may(by, Right.MANAGE_HOSTS)
    for reason in reasons:
        button = mending.button(reason.action, by)
        action = reason.action
        yield Told(
            reason, button, edits and action == "edit-host", action == "see-host"
        )


def _cell(guest: Guest, check: Check) -> Cell:
    copied = ", copy" if check.storage == "copy" else ""
    return Cell(
        host=check.host,
        home=check.host.pk == guest.host_id,
        ok=check.ok,
        cost=f"{_seconds(check.estimate.seconds)}{copied}",
        why=" ".join(reason.message for reason in check.reasons)
        or cost_in_words(check.estimate),
    )


def _seconds(seconds: float) -> str:
    seconds = max(seconds, 0.1)  # nothing takes no time at all
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 2 * _SECONDS_A_MINUTE:
        return f"{seconds:.0f} s"
    return f"{seconds / _SECONDS_A_MINUTE:.0f} min"


def _ms(milliseconds: int) -> str:
    return (
        f"{milliseconds} ms" if milliseconds < 1000 else _seconds(milliseconds / 1000)
    )
