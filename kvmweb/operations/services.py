"""Ask for an operation, stop one, and keep the queue honest."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from kvmweb.accounts import audit
from kvmweb.accounts.models import User
from kvmweb.errors import Conflict
from kvmweb.operations import announce, hints, queue
from kvmweb.operations.ending import End, end, record, settle
from kvmweb.operations.models import Operation
from kvmweb.operations.registry import kind_of, label_of

State = Operation.State
_FORGOTTEN_AFTER = timedelta(seconds=5)  # then its hint counts as lost
_HINTS_A_SWEEP = 100


def submit(  # noqa: PLR0913 - the columns of a row, by name
    kind: str,
    *,
    by: User | None,
    guest: UUID | None = None,
    guest_name: str = "",
    host: int | None = None,
    host_name: str = "",
    params: dict[str, Any] | None = None,
    parent: Operation | None = None,
    address: str = "",
    expires_s: int | None = 120,
) -> Operation:
    """Write down an operation and wake a worker; returns at once.

    The row, its audit record and the lock on the guest are one transaction. Not begun
    after `expires_s`, it fails instead of running late; None: it may wait for ever.
    Raises Conflict, which names it, when the guest has another one that has not ended.
    """
    declared = kind_of(kind)
    now = timezone.now()
    operation = Operation(
        kind=kind,
        guest=guest,
        guest_name=guest_name,
        host=host,
        host_name=host_name,
        requested_by=by,
        author=by.username if by else "",
        address=address,
        parent=parent,
        cancellable=declared.cancellable,
        params=params or {},
        created_at=now,
        expires_at=now + timedelta(seconds=expires_s) if expires_s else None,
    )
    _insert(operation)
    transaction.on_commit(lambda: _begun(operation))
    return operation


def group(kind: str, *, by: User | None, address: str = "", **about: Any) -> Operation:
    """A parent that no worker runs: it is running until its children have ended.

    Submit the children with `parent=` in the same transaction. `about` is guest,
    guest_name, host, host_name, params.
    """
    parent = Operation(
        kind=kind,
        state=State.RUNNING,
        requested_by=by,
        author=by.username if by else "",
        address=address,
        started_at=timezone.now(),
        cancellable=True,
        **about,
    )
    _insert(parent)
    transaction.on_commit(lambda: announce.changed(parent))
    return parent


def cancel(
    operation: Operation, *, by: User, address: str = "", gently: bool = False
) -> Operation:
    """Stop it: at once when it is queued, as soon as its work looks up when it runs.

    Its children are cancelled, too; `gently` lets those that were begun end.
    Raises Conflict when it has ended, or when its kind cannot be stopped half way.
    """
    asker = {"by": by.username, "from": address}
    row = Operation.objects.filter(pk=operation.pk, state=State.QUEUED)
    message = f"Cancelled by {by.username} before it began."
    ended = end(row, End(State.CANCELLED, message, "cancelled", details=asker))
    if ended:
        return ended
    operation.refresh_from_db()
    if not operation.active:
        raise Conflict(f"This operation has already ended ({operation.state}).")
    if not operation.worker:
        return _cancel_group(operation, by=by, address=address, gently=gently)
    if not operation.cancellable:
        label = label_of(operation.kind)
        raise Conflict(f"“{label}” cannot be stopped half way; it will end by itself.")
    return _wish_cancelled(operation, by=by, address=address)


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep found."""

    expired: int
    reminded: int
    settled: int


def sweep() -> Swept:
    """End what was not begun in time, send lost hints again, let groups follow.

    What a dead worker left is claimed by the next worker that looks; the hints wake it.
    """
    late = list(queue.expired()[:_HINTS_A_SWEEP])
    expired = [operation for operation in late if _expire(operation)]
    forgotten = timezone.now() - _FORGOTTEN_AFTER
    waiting = queue.claimable().filter(created_at__lt=forgotten)
    lost = [*queue.orphans()[:_HINTS_A_SWEEP], *waiting[:_HINTS_A_SWEEP]]
    for operation in lost:
        hints.send(operation.pk)
    groups = list(Operation.objects.filter(state=State.RUNNING, worker=""))
    for parent in groups:
        settle(parent.pk)
    return Swept(len(expired), len(lost), len(groups))


def _insert(operation: Operation) -> None:
    try:
        with transaction.atomic():
            operation.save(force_insert=True)
            record(operation, "accepted", {})
    except IntegrityError:
        raise _busy(operation) from None


def _busy(operation: Operation) -> Conflict:
    name = operation.guest_name or "This guest"
    other = Operation.objects.filter(
        guest=operation.guest, state__in=Operation.ACTIVE
    ).first()
    if other is None:  # it ended in this very moment
        return Conflict(f"{name} was busy a moment ago.", hint="Try again.")
    asked = f", asked for by {other.author}," if other.author else ""
    message = (
        f"{name} is busy: “{label_of(other.kind)}”{asked} is {other.state} "
        f"(operation {other.pk})."
    )
    hint = "Wait for its end, or cancel it."
    return Conflict(message, hint=hint, operation=str(other.pk))


def _begun(operation: Operation) -> None:
    hints.send(operation.pk)
    announce.changed(operation)


def _expire(operation: Operation) -> bool:
    row = Operation.objects.filter(Q(pk=operation.pk), state=State.QUEUED)
    message = (
        f"{operation.subject}: “{label_of(operation.kind)}” was not begun in time, "
        "because no worker was free; it never runs late. Ask for it again."
    )
    return end(row, End(State.FAILED, message, "expired")) is not None


def _cancel_group(
    operation: Operation, *, by: User, address: str, gently: bool
) -> Operation:
    """The wish first: whoever leads it begins nothing more."""
    _wish_cancelled(operation, by=by, address=address)
    states = [State.QUEUED] if gently else Operation.ACTIVE
    children = Operation.objects.filter(parent=operation, state__in=states)
    _cancel_all(list(children), by=by, address=address)
    settle(operation.pk)
    operation.refresh_from_db()
    return operation


def _cancel_all(children: list[Operation], *, by: User, address: str) -> None:
    for child in children:
        try:
            cancel(child, by=by, address=address)
        except Conflict:
            continue  # it ends by itself, and its parent waits for it


@transaction.atomic
def _wish_cancelled(operation: Operation, *, by: User, address: str) -> Operation:
    wish = Operation.objects.filter(
        pk=operation.pk, state=State.RUNNING, cancel_requested_at=None
    )
    wish.update(cancel_requested_at=timezone.now())
    audit.record(
        "operation.cancel",
        actor=by,
        target=f"operation:{operation.pk}",
        outcome="accepted",
        address=address,
    )
    operation.refresh_from_db()
    announce.changed(operation)
    return operation
