"""Moves whose end is not settled: asked for again, until both hosts have said it.

A move may end while one of its hosts does not answer, or with post-copy broken off. Its
row stays open then, and is looked after as soon as both are up again: the guest is
looked for by UUID, what the move left half done is cleared away, and its row says what
became of it. It is an operation like any other, so nothing else touches the guest
meanwhile.
"""

from datetime import timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone

from guests.migration import records, resuming
from guests.migration.aftermath import Where
from guests.migration.arriving import concluded, undo
from guests.migration.journey import Journey
from guests.migration.models import Move
from guests.migration.monitor import Watched
from hosts.models import Host
from kvmweb.errors import AppError, Conflict
from kvmweb.operations.models import LogLine, Operation
from kvmweb.operations.registry import Recovery, work
from kvmweb.operations.run import Run
from kvmweb.operations.services import submit

KIND = "guest.settle-move"
_AGAIN, _AT_MOST = timedelta(minutes=1), timedelta(hours=1)
_SETTLE_S = 15.0  # libvirt has had its time: what is half done now stays so
_AT_ONCE = 20
_EXPIRES_S = 60
_REMOVED = "One of its hosts was removed before both had said what came true."
_OVERTAKEN = "It was not settled before the guest was moved again."


def look() -> int:
    """Have those settled whose hosts both answer; how many were begun."""
    rows = Move.objects.filter(open=True).exclude(outcome="").order_by("started_at")
    for row in rows.filter(Q(source=None) | Q(target=None)):
        close(row, _REMOVED)
    both = rows.filter(source__state=Host.State.UP, target__state=Host.State.UP)
    return sum(_begin(row) for row in both[:_AT_ONCE] if _is_due(row))


def _is_due(row: Move) -> bool:
    """Whether it was not asked just now: each time in vain makes the wait longer."""
    tries = Operation.objects.filter(
        kind=KIND, guest=row.guest, created_at__gt=row.started_at
    )
    last = tries.order_by("-created_at").first()
    if last is None:
        return True
    wait = min(_AGAIN * 2 ** min(tries.count(), 10), _AT_MOST)
    return not last.active and timezone.now() - last.created_at > wait


def close(row: Move, why: str) -> None:
    """Nobody asks for it any more: say so."""
    sentence = f"{row.sentence} {why}".strip()
    Move.objects.filter(pk=row.pk, open=True).update(open=False, sentence=sentence)


def _begin(row: Move) -> int:
    moved = Operation.objects.filter(pk=row.operation).first()
    later = Move.objects.filter(guest=row.guest, started_at__gt=row.started_at)
    if moved is None or later.exists():
        close(row, _OVERTAKEN)
        return 0
    told = {
        "settles": str(moved.pk),
        "move": moved.result.get("move", {}),
        "post_copied": bool(moved.result.get("post_copied")),
    }
    try:
        submit(
            KIND,
            by=None,
            guest=row.guest,
            guest_name=row.guest_name,
            host=moved.host,
            host_name=moved.host_name,
            params=moved.params | told,
            expires_s=_EXPIRES_S,
        )
    except Conflict:
        return 0  # something is done to it now; asked again in a while
    return 1


def _again(_run: Run) -> Recovery:
    """Every step of it may be done twice."""
    return Recovery.AGAIN


@work(KIND, recover=_again)
def settle(run: Run) -> dict[str, Any]:
    """Ask both hosts what came true of a move, and bring it to an end."""
    journey = Journey(run)
    watched, where = resuming.to_its_end(journey, _SETTLE_S)
    if where in {Where.STAYED, Where.OFF} and not journey.notes.open:
        undo(journey)
        name, source, target = journey.name, journey.source.name, journey.target.name
        run.say(f"{name} did not move to {target}: it is on {source}, as both say.")
        result = _ended(journey, {"host": journey.source.pk})
    else:
        result = _concluded(journey, watched, where)
    LogLine.objects.create(operation_id=journey.operation, message=run.sentence)
    return result


def _concluded(journey: Journey, watched: Watched, where: Where) -> dict[str, Any]:
    try:
        return concluded(journey, watched, where, None)
    except AppError as error:
        if journey.notes.open:
            raise  # not yet
        journey.run.say(str(error))
        return _ended(journey, {})


def _ended(journey: Journey, result: dict[str, Any]) -> dict[str, Any]:
    """It did not move, and that is certain now."""
    records.settle(journey, Move.Outcome.FAILED, journey.run.sentence)
    return result
