"""Every version of a guest's document, and everything that befell it, with its author.

Part of guests.facts.
"""

from collections import defaultdict
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q

from guests.columns import digest
from guests.history import CAUSES
from guests.models import Happening, Revision
from kvmweb.operations.models import Operation
from kvmweb.virt.xml.lasting import lasting

_AFTERWARDS = timedelta(seconds=10)  # news of an operation's effect may come so late
_CHANGES_NOTHING = {
    *("start", "shutdown", "reboot", "reset", "force-off", "pause", "resume"),
    *("save", "autostart", "console"),
}


def keep(documents: dict[UUID, str], happened: list[Happening], now: datetime) -> None:
    """Write down what happened, and the documents that are new versions.

    Each gets the operation that caused it, or none: then it came from outside.
    """
    touched = {each.guest_id for each in happened} | set(documents)
    if not touched:
        return
    causes = _operations(touched, now)
    for each in happened:
        each.operation = next(
            (
                operation.pk
                for operation in causes[each.guest_id]
                if _verb(operation) in CAUSES.get(each.what, ())
            ),
            None,
        )
    Happening.objects.bulk_create(happened)
    fresh = _fresh(documents)
    for revision in fresh:
        _sign(revision, causes[revision.guest_id], now)
    Revision.objects.bulk_create(fresh)


def _fresh(documents: dict[UUID, str]) -> list[Revision]:
    """Revisions for the documents that differ from the last version of their guest."""
    last: dict[UUID, tuple[int, str]] = {}
    rows = Revision.objects.filter(guest__in=documents).order_by("number")
    for uuid, number, seal in rows.values_list("guest", "number", "digest"):
        last[uuid] = (number, seal)
    found = []
    for uuid, xml in documents.items():
        number, before = last.get(uuid, (0, ""))
        seal = digest(lasting(xml))
        if xml and seal != before:
            found.append(
                Revision(guest_id=uuid, number=number + 1, digest=seal, xml=xml)
            )
    return found


def _sign(revision: Revision, causes: list[Operation], now: datetime) -> None:
    cause = next((it for it in causes if _verb(it) not in _CHANGES_NOTHING), None)
    revision.at = now
    revision.author = (cause.author if cause else "") or Revision.OUTSIDE
    revision.operation = cause.pk if cause else None


def _operations(touched: set[UUID], now: datetime) -> dict[UUID, list[Operation]]:
    """What was done to these guests a moment ago, the newest first."""
    rows = Operation.objects.filter(guest__in=touched).filter(
        Q(state__in=Operation.ACTIVE) | Q(finished_at__gte=now - _AFTERWARDS)
    )
    found: dict[UUID, list[Operation]] = defaultdict(list)
    for operation in rows.order_by("-created_at"):
        if operation.guest:
            found[operation.guest].append(operation)
    return found


def _verb(operation: Operation) -> str:
    return operation.kind.rpartition(".")[2]
