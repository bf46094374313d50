"""The end of an operation: its final state and its one audit row, together."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models import Avg, QuerySet
from django.utils import timezone

from kvmweb.accounts import audit
from kvmweb.operations import announce
from kvmweb.operations.models import Operation
from kvmweb.operations.registry import label_of

State = Operation.State
SYSTEM = "kvmweb"  # the author of what nobody asked for


@dataclass(frozen=True, slots=True)
class End:
    """How an operation ended."""

    state: State
    message: str  # a full sentence
    error_code: str = ""
    result: dict[str, Any] | None = None
    details: dict[str, Any] = field(default_factory=dict)  # for the audit record only


@dataclass(frozen=True, slots=True)
class Turn:
    """How far a led group is, and its end once it has come."""

    progress: float = 0.0
    phase: str = ""
    end: End | None = None


Leader = Callable[[Operation], Turn]
Follower = Callable[[Operation], None]
_leaders: dict[str, Leader] = {}
_followers: dict[str, list[Follower]] = {}


def leads(kind: str) -> Callable[[Leader], Leader]:
    """Plug: who leads groups of this kind, instead of their only following children.

    Called with the group's row locked, whenever a child has ended, when somebody asked
    to cancel it, and now and then: it may submit the next children. Nothing holds a
    worker meanwhile, and nothing is lost when one dies: all it knows stands in rows.
    """

    def register(leader: Leader) -> Leader:
        _leaders[kind] = leader
        return leader

    return register


def ended(kind: str) -> Callable[[Follower], Follower]:
    """Plug: call this at the end of each operation of this kind, whatever the end.

    In the transaction in which it ends, so it may neither wait nor raise.
    """

    def register(follower: Follower) -> Follower:
        _followers.setdefault(kind, []).append(follower)
        return follower

    return register


def end(row: QuerySet[Operation], how: End) -> Operation | None:
    """End the one operation that `row` still finds; None when it finds none any more.

    `row` is the compare-and-set: one operation, with the state it must still have.
    """
    with transaction.atomic():
        operation = row.select_for_update().first()
        if operation is None:
            return None
        _write(operation, how)
        record(operation, how.state, how.details)
        for follower in _followers.get(operation.kind, ()):
            follower(operation)
    announce.changed(operation)
    if operation.parent_id:
        settle(operation.parent_id)
    return operation


def settle(parent_id: Any) -> None:
    """Let a group follow its children: its progress is theirs, its end their last one's.

    One that has a leader follows that instead.
    """
    group = Operation.objects.filter(pk=parent_id, state=State.RUNNING, worker="")
    kind = group.values_list("kind", flat=True).first()
    if kind in _leaders:
        _led(group, _leaders[kind])
        return
    children = Operation.objects.filter(parent=parent_id)
    if children.filter(state__in=Operation.ACTIVE).exists():
        done = children.aggregate(done=Avg("progress"))["done"] or 0
        group.filter(progress__lt=done).update(progress=done)
        return
    end(group, _end_of(list(children)))


def _led(group: QuerySet[Operation], leader: Leader) -> None:
    with transaction.atomic():
        operation = group.select_for_update().first()
        if operation is None:
            return
        turn = leader(operation)
        if turn.end is None and (
            turn.progress > operation.progress or turn.phase != operation.phase
        ):
            operation.progress = max(operation.progress, turn.progress)
            operation.phase = turn.phase[:200]
            group.update(progress=operation.progress, phase=operation.phase)
            transaction.on_commit(lambda: announce.changed(operation))
    if turn.end is not None:
        end(group, turn.end)


def record(operation: Operation, outcome: str, details: dict[str, Any]) -> None:
    """One audit row for this operation."""
    audit.record(
        operation.kind,
        actor=operation.author or SYSTEM,
        target=_target(operation),
        outcome=outcome,
        address=operation.address,
        details={
            "operation": str(operation.pk),
            "name": operation.guest_name or operation.host_name,
            **details,
        },
    )


def _write(operation: Operation, how: End) -> None:
    operation.state = how.state
    operation.finished_at = timezone.now()
    operation.lease_until = None
    operation.message = how.message
    if how.state == State.SUCCEEDED:
        operation.progress = 1
    else:
        operation.error_code = how.error_code
        operation.error_message = how.message
    if how.result is not None:
        operation.result = how.result
    operation.save()


def _target(operation: Operation) -> str:
    if operation.guest:
        return f"guest:{operation.guest}"
    if operation.host is not None:
        return f"host:{operation.host}"
    return f"operation:{operation.pk}"


def _end_of(children: list[Operation]) -> End:
    failed = [c.subject for c in children if c.state == State.FAILED]
    stopped = [c.subject for c in children if c.state == State.CANCELLED]
    label = label_of(children[0].kind) if children else "nothing"
    if failed:
        names = ", ".join(failed[:5]) + (" and others" if len(failed) > 5 else "")
        message = f"{len(failed)} of {len(children)} failed to {label}: {names}."
        return End(State.FAILED, message, "children_failed")
    if stopped:
        message = f"{len(stopped)} of {len(children)} were cancelled."
        return End(State.CANCELLED, message, "cancelled")
    return End(State.SUCCEEDED, f"All {len(children)} are done ({label}).")
