"""How a move ends: made true where it came true, undone where it did not, and recorded."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from guests.migration import carrying, records, ways
from guests.migration.aftermath import Where
from guests.migration.journey import Journey
from guests.migration.models import Move
from guests.migration.monitor import Watched
from guests.models import Guest
from hosts.storage.appearing import until_row
from kvmweb.errors import AppError, Cancelled, Conflict, HostTimeout
from kvmweb.operations.queue import LeaseLost
from kvmweb.virt import connection, migration, migration_luggage
from kvmweb.virt.migration import MigrationJob

_HINT = (
    "Its page shows where it is as soon as both hosts answer; what was left half done "
    "is then cleared away by itself."
)
_SEEN_S = 5.0
# Verdicts that stand, though one host may still have something to be cleared away.
_KNOWN = frozenset({Where.STAYED, Where.OFF, Where.GONE, Where.LOST})


def concluded(
    journey: Journey, watched: Watched, where: Where, error: AppError | None
) -> dict[str, Any]:
    """The operation's result, if the guest moved. Raises what became of it else."""
    if where == Where.MOVED:
        return arrived(journey, watched, error)
    journey.notes.known = where in _KNOWN
    journey.keep()
    if where in {Where.STAYED, Where.OFF}:
        undo(journey)
        raise _stayed(journey, watched, where, error)
    if where == Where.GONE:
        undo(journey)
    raise _open_end(journey, where, f" {error.detail}" if error else "")


def _open_end(journey: Journey, where: Where, why: str) -> AppError:
    """What is said where it neither moved nor stayed."""
    name, source, target = journey.name, journey.source.name, journey.target.name
    if where == Where.BOTH:
        return Conflict(
            f"{name} runs on {source} and on {target} at once.{why}",
            hint="Force one of the two off now: both on one disk destroy it.",
        )
    if where == Where.GONE:
        return Conflict(f"Neither {source} nor {target} knows {name} any more.{why}")
    if where == Where.STUCK:
        return Conflict(
            f"The move of {name} broke off when it ran on {target} already. Part of its "
            f"memory is on {source} alone, so it stands still on {target} as soon as it "
            f"needs that.{why}",
            hint=f"Have the way from {source} to {target} mended: the rest is then sent "
            "by itself. Should that not help, force it off on both and start it again, "
            "as after a power cut: what was in its memory is lost then.",
        )
    if where == Where.LOST:
        return Conflict(
            f"The move of {name} broke off when it ran on {target} already, and {source} "
            f"has lost the rest of its memory. It can never go on on {target}.{why}"
            f"{_disks_there(journey)}",
            hint=f"Force it off on {target} and start it again: it is as after a power "
            "cut.",
        )
    return HostTimeout(
        f"What came true of the move of {name} is not known: {source} and {target} did "
        f"not both say.{why}",
        hint=_HINT,
    )


def _disks_there(journey: Journey) -> str:
    """Which of its disks are the ones to go on with, where it has them twice."""
    paths = ", ".join(disk.path for disk in journey.notes.disks)
    there = f" What it wrote last is on {journey.target.name} alone: {paths}."
    return there if paths else ""


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
    warnings = _warnings(journey)
    run.say(" ".join([sentence, *warnings]))
    records.end(journey, Move.Outcome.SUCCEEDED, run.sentence, measured)
    _until_seen(journey)
    told = {"host": target.pk, "left": left, "warnings": warnings}
    return told | {"encrypted": journey.notes.encrypted, **measured.as_json()}


def _until_seen(journey: Journey) -> None:
    """Until the watchers have written that it is there and there alone; not for long."""
    source, target = journey.source, journey.target
    if not (source.watcher and target.watcher):
        return
    rows = Guest.objects.filter(pk=journey.guest, host=target)
    alone = rows.exclude(twins__host=source)
    try:
        until_row(alone.first, within_s=_SEEN_S, say="")
    except HostTimeout:
        journey.run.log("Its hosts have not both been seen to say so yet.")


def _warnings(journey: Journey) -> list[str]:
    """What came true and is not as its hosts were set up."""
    source, target = journey.source, journey.target
    if not ways.encrypted(source, target) or journey.notes.encrypted is not False:
        return []
    why = f"QEMU has no certificates on {source.name} or {target.name}"
    return [f"Its memory went unencrypted: {why}."]


def undo(journey: Journey) -> None:
    """It is not at its target: nothing that was made there stays.

    But the disks of a guest that ran there once do: what it wrote last is in them.
    """
    if journey.post_copied:
        carrying.whole(journey)
        if told := _disks_there(journey):
            journey.run.log(told.strip())
        journey.notes.disks = []
    left = carrying.take_away(journey)
    if not left and journey.notes.disks:
        journey.notes.disks = []
        journey.keep()
    _put_back(journey)


def _put_back(journey: Journey) -> None:
    """Its snapshots' records, on its source again; asked for later where that is down."""
    kept = carrying.laid_aside(journey)
    if not kept:
        return
    try:
        with connection.connect(journey.here) as here:
            here.run(migration_luggage.put_on, journey.guest, kept)
    except AppError as error:
        names = ", ".join(each.name for each in kept)
        journey.run.log(f"The records of the snapshots {names} are not back. {error}")
        journey.notes.open = journey.notes.known = True
        journey.keep()
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
        how = f"It is off on {source}{_off_since(journey)}"
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


def _off_since(journey: Journey) -> str:
    if not journey.notes.live:
        return ", as it was."
    if not journey.post_copied:
        return "; it was shut off on the way."
    return (
        f": it ended on {journey.target.name} while half of its memory was still here. "
        f"It is as after a power cut.{_disks_there(journey)}"
    )


def _verb(journey: Journey) -> str:
    return {"running": "runs", "paused": "is paused"}.get(
        journey.notes.state, "is there, off,"
    )
