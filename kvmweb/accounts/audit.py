"""The audit record: who did what, or was refused. Rows are added, nothing else, ever."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from kvmweb.accounts.models import AuditEntry, User

REFUSALS_A_MINUTE = 30  # of one person, or one address that nobody signed in from
STRANGERS_A_MINUTE = 300  # of all addresses together
MINUTE = timedelta(minutes=1)
NOBODY = "anonymous"


def record(  # the columns of a record
    action: str,
    *,
    actor: User | str,
    target: str = "",
    outcome: str,
    address: str = "",
    details: dict[str, Any] | None = None,
) -> AuditEntry:
    """Add one row: who did what to which topic ("guest:UUID"), and how it ended."""
    name = actor.username if isinstance(actor, User) else actor
    return AuditEntry.objects.create(
        action=_fitting(action, 64),
        actor=_fitting(name, 150),
        target=_fitting(target, 200),
        outcome=_fitting(outcome, 16),
        address=address[:45],
        details=details or {},
    )


def record_refusal(  # the columns of a record
    action: str,
    *,
    actor: User | str,
    target: str = "",
    outcome: str = "refused",
    address: str = "",
    details: dict[str, Any] | None = None,
) -> None:
    """Add a row for something that was refused, but never a flood of them.

    After 30 within a minute the rest of one person's (or one stranger's address's) are
    left out; the last row says so.
    """
    name = _fitting(actor.username if isinstance(actor, User) else actor, 150)
    room = _room(name, address, outcome)
    if room <= 0:
        return
    details = {**(details or {})}
    if room == 1:
        details["more"] = "More refusals within this minute are not recorded."
    record(
        action,
        actor=name,
        target=target,
        outcome=outcome,
        address=address,
        details=details,
    )


def _room(name: str, address: str, outcome: str) -> int:
    """How many more refusals of this sender may be recorded now."""
    recent = AuditEntry.objects.filter(at__gt=timezone.now() - MINUTE, outcome=outcome)
    if outcome == "refused":
        recent = recent.filter(actor=name)
        if name != NOBODY:
            return REFUSALS_A_MINUTE - recent.count()
    own = REFUSALS_A_MINUTE - recent.filter(address=address).count()
    return min(own, STRANGERS_A_MINUTE - recent.count())


def _fitting(text: str, length: int) -> str:
    """The text as the column takes it: cut, and without what no database keeps."""
    return text.encode(errors="replace").decode().replace("\0", "�")[:length]
