"""The record of a move: begun, and ended with what was measured."""

from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from guests.migration.journey import Journey
from guests.migration.models import Move
from guests.migration.monitor import Watched
from guests.models import Guest
from guests.proof.watching import believed
from kvmweb.operations.ending import ended
from kvmweb.operations.models import Operation
from kvmweb.virt.migration import MigrationJob

KIND = "guest.migrate"
_NOT_KNOWN = ("", Move.Outcome.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Measured:
    """What a move took; None where nobody could say."""

    total_ms: int | None = None
    downtime_ms: int | None = None
    seen_downtime_ms: int | None = None
    transferred_bytes: int | None = None
    memory_rate_bytes_s: int | None = None
    dirty_bytes_s: int | None = None
    iterations: int | None = None

    def as_json(self) -> dict[str, Any]:
        """For the operation's result."""
        return {name: getattr(self, name) for name in self.__slots__}


def begin(journey: Journey, storage: str) -> Move:
    """Its row, once a move."""
    guest = Guest.objects.filter(pk=journey.guest).first()
    operation = journey.run.operation
    row, _ = Move.objects.update_or_create(
        operation=operation.pk,
        defaults={
            "guest": journey.guest,
            "guest_name": journey.name,
            "source": journey.source,
            "source_name": journey.source.name,
            "target": journey.target,
            "target_name": journey.target.name,
            "mode": Move.Mode.LIVE if journey.notes.live else Move.Mode.OFFLINE,
            "storage": storage,
            "policy": journey.wish.policy if journey.notes.live else "",
            "memory_bytes": guest.memory_bytes if guest else 0,
            "predicted": journey.run.params.get("predicted", {}),
            "started_at": operation.started_at or timezone.now(),
            "drain": operation.parent_id,
            "canary": bool(journey.run.params.get("canary")),
        },
    )
    return row


def end(journey: Journey, outcome: str, sentence: str, measured: Measured) -> None:
    """How it ended, if it had begun and nobody has said so already."""
    rows = Move.objects.filter(operation=journey.operation)
    rows.filter(outcome__in=_NOT_KNOWN).update(
        outcome=outcome,
        sentence=sentence,
        finished_at=timezone.now(),
        encrypted=journey.notes.encrypted,
        **measured.as_json(),
    )
    rows.update(open=journey.notes.open)


def settle(journey: Journey, outcome: str, sentence: str) -> None:
    """What both hosts said later; what had been known before stays, and reads on."""
    row = Move.objects.filter(operation=journey.operation).first()
    if row is None:
        return
    if row.outcome in _NOT_KNOWN:
        row.outcome, row.sentence = outcome, sentence
    else:
        row.sentence = f"{row.sentence} {sentence}"
    row.open = journey.notes.open
    row.save(update_fields=["outcome", "sentence", "open"])


@ended(KIND)
def follow(operation: Operation) -> None:
    """End the move's own row with its operation, whatever ended that."""
    rows = Move.objects.filter(operation=operation.pk)
    notes = operation.result.get("move", {})
    still_open = bool(notes.get("open"))
    outcome = str(operation.state)
    if still_open and not notes.get("known"):
        outcome = Move.Outcome.UNKNOWN
    rows.filter(outcome="").update(
        outcome=outcome,
        sentence=operation.message,
        finished_at=timezone.now(),
        encrypted=notes.get("encrypted"),
    )
    if operation.state != Operation.State.SUCCEEDED:
        rows.update(open=still_open)


def measured(completed: MigrationJob | None, watched: Watched) -> Measured:
    """The target's own record of it, and what was seen on the way."""
    last, dirty_bytes_s = watched.last, watched.dirty_bytes_s
    seen_ms = watched.seen_downtime_ms
    job = completed or last
    if job is None:
        return Measured(dirty_bytes_s=dirty_bytes_s or None, seen_downtime_ms=seen_ms)
    rate = job.memory_rate_bytes_s
    if not rate and job.elapsed_ms:
        rate = job.memory_sent_bytes * 1000 // job.elapsed_ms
    stood_ms = job.downtime_ms if job.finished else None
    return Measured(
        total_ms=job.elapsed_ms,
        downtime_ms=stood_ms,
        seen_downtime_ms=believed(seen_ms, stood_ms),
        transferred_bytes=job.sent_bytes,
        memory_rate_bytes_s=rate,
        dirty_bytes_s=dirty_bytes_s or None,
        iterations=job.iteration or (last.iteration if last else None),
    )


def carried(journey: Journey) -> Measured:
    """What the move of a guest took that was off: it had nothing to stand still."""
    begun = journey.run.operation.started_at or timezone.now()
    return Measured(
        total_ms=int((timezone.now() - begun).total_seconds() * 1000),
        downtime_ms=0,
        transferred_bytes=journey.notes.sent_bytes,
    )
