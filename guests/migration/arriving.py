"""How a move ends: made true where it came true, undone where it did not, and recorded."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from guests.migration import carrying, records
from guests.migration.aftermath import Where
from guests.migration.journey import Journey
from guests.migration.models import Move
from guests.migration.monitor import Watched
from guests.migration.records import Measured
from kvmweb.errors import AppError, Cancelled, Conflict, HostTimeout
from kvmweb.operations.queue import LeaseLost
from kvmweb.virt import connection, migration, migration_luggage
from kvmweb.virt.migration import MigrationJob

_HINT = "Its page shows where it is as soon as both hosts answer."


def concluded(
    journey: Journey, watched: Watched, where: Where, error: AppError | None
) -> dict[str, Any]:
    """The operation's result, if the guest moved. Raises what became of it else."""
    name, source, target = journey.name, journey.source.name, journey.target.name
    if where == Where.MOVED:
        return arrived(journey, watched, error)
    if where in {Where.STAYED, Where.OFF}:
        undo(journey)
        raise _stayed(journey, watched, where, error)
    why = f" {error.detail}" if error else ""
    if where == Where.BOTH:
        raise Conflict(
            f"{name} runs on {source} and on {target} at once.{why}",
            hint="Force one of the two off now: both on one disk destroy it.",
        )
    if where == Where.GONE:
        undo(journey)
        raise Conflict(f"Neither {source} nor {target} knows {name} any more.{why}")
    if where == Where.STUCK:
        raise Conflict(
            f"The move of {name} broke off when it ran on {target} already: half of its "
            f"memory is still on {source}.{why}",
            hint="Have the link between the two mended, then move it there again.",
        )
    raise HostTimeout(
        f"What came true of the move of {name} is not known: {source} and {target} did "
        f"not both say.{why}",
        hint=_HINT,
    )


def arrived(
    journey: Journey, watched: Watched, error: AppError | None
) -> dict[str, Any]:
    """It is at its target: the rest is brought along, what it left is cleared away."""
    run, target = journey.run, journey.target
    if error is not None:
        run.log(f"{error.detail} It came true nevertheless.")
    run.progress(0.96, "bringing the rest along")
    carrying.whole(journey)
    completed = _brought_along(journey)
    left = carrying.leave(journey) if journey.notes.disks else []
    measured = (
        records.measured(completed, watched)
        if journey.notes.live
        else records.carried(journey)
    )
    verb = _verb(journey)
    took = f" in {measured.total_ms / 1000:.1f} s" if measured.total_ms else ""
    still = (
        f", standing still for {measured.downtime_ms} ms"
        if measured.downtime_ms is not None and journey.notes.live
        else ""
    )
    sentence = f"{journey.name} {verb} on {target.name}; it moved{took}{still}."
    if left:
        sentence += f" Its old disks stay: {', '.join(left)}."
    run.say(sentence)
    records.end(journey, Move.Outcome.SUCCEEDED, sentence, measured)
    return {"host": target.pk, "left": left, **measured.as_json()}


def undo(journey: Journey) -> None:
    """It is not at its target: nothing that was made there stays."""
    left = carrying.take_away(journey)
    if not left and journey.notes.disks:
        journey.notes.disks = []
        journey.keep()
    kept = carrying.laid_aside(journey)
    if not kept:
        return
    try:
        with connection.connect(journey.here) as here:
            here.run(migration_luggage.put_on, journey.guest, kept)
    except AppError as error:
        names = ", ".join(each.name for each in kept)
        journey.run.log(f"The records of the snapshots {names} are not back. {error}")
        return
    journey.notes.snapshots = ""
    journey.keep()


@contextmanager
def undone(journey: Journey) -> Iterator[None]:
    """Undo what the block prepared when it fails; whoever lost its lease touches nothing."""
    try:
        yield
    except LeaseLost:
        raise
    except BaseException:
        undo(journey)
        raise


@contextmanager
def recorded(journey: Journey) -> Iterator[None]:
    """End the move's own row with what the block raises."""
    try:
        yield
    except Cancelled as error:
        records.end(journey, Move.Outcome.CANCELLED, str(error), Measured())
        raise
    except AppError as error:
        records.end(journey, Move.Outcome.FAILED, str(error), Measured())
        raise
    except LeaseLost:  # whoever took it over ends it
        raise
    except BaseException:
        sentence = "It ended by a mistake of the product: see its operation."
        records.end(journey, Move.Outcome.FAILED, sentence, Measured())
        raise


def _brought_along(journey: Journey) -> MigrationJob | None:
    """What libvirt does not carry; the target's record of the move, if it has one."""
    try:
        with connection.connect(journey.there) as there:
            completed = None
            if journey.notes.live:
                completed = there.run(migration.completed_job, journey.guest)
            there.run(
                migration_luggage.settle_in,
                journey.guest,
                autostart=journey.notes.autostart,
                kept=carrying.laid_aside(journey),
            )
    except AppError as error:
        journey.run.log(f"Not all of it came along: {error}")
        return None
    return completed


def _stayed(
    journey: Journey, watched: Watched, where: Where, error: AppError | None
) -> AppError:
    name, source, target = journey.name, journey.source.name, journey.target.name
    if where == Where.OFF:
        how = f"It is off on {source}"
        how += "; it was shut off on the way." if journey.notes.live else ", as it was."
    else:
        how = f"It goes on at {source} as before."
    if watched.cancelled:
        return Cancelled(f"The move of {name} was stopped. {how}")
    if watched.course.given_up:
        return Conflict(
            f"{name} did not move to {target}. {watched.course.given_up} {how}",
            hint="Allow more downtime, or use another policy.",
        )
    if error is None:
        return Conflict(f"{name} did not move to {target}. {how}")
    error.detail = f"{name} did not move to {target}. {error.detail} {how}"
    return error


def _verb(journey: Journey) -> str:
    return {"running": "runs", "paused": "is paused"}.get(
        journey.notes.state, "is there, off,"
    )
