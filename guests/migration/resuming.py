"""A move that is not over when its call has ended: watched, or gone on with.

When the link breaks in post-copy, half of the memory is on each host: the guest belongs
to its target and stands still there, so neither half is ever ended here. libvirt gives
up after half a minute, QEMU does not: its connection outlives some minutes without a
network and then goes on by itself. That is waited for, and nothing is done to it: the
target's QEMU may itself wait for a page of its guest, and then take no orders. Only
where both have seen their connection break, libvirt 8.5 can have the rest sent by a new
one; that may hang with QEMU 7.2, so it is not waited for without an end.
"""

import time

from guests.migration import monitor, trips
from guests.migration.aftermath import SETTLE_S, Unheard, Where, ask, settled
from guests.migration.journey import Journey
from guests.migration.monitor import Watched
from kvmweb.errors import AppError
from kvmweb.virt import connection, migration, migration_luggage
from kvmweb.virt.migration import BROKEN
from kvmweb.virt.migration_jobs import Ended, Trip, carry, watch

RESUME_S = 120.0  # without a byte; then the operation ends, and `settling` looks on
_AGAIN_S = 2.0
_PHASE = "broke off in post-copy; waiting for the rest of its memory"


def to_its_end(journey: Journey, settle_s: float = SETTLE_S) -> tuple[Watched, Where]:
    """Ask both hosts, watch or resume what is not over; what was seen, and where it is.

    STUCK when nothing of its memory has come for too long.
    """
    watched, until = Watched(), time.monotonic() + RESUME_S
    said: set[str] = set()
    left: int | None = None
    where = settled(journey, settle_s)
    while where in {Where.UNDER_WAY, Where.STUCK}:
        if where == Where.UNDER_WAY:
            journey.run.log("The hosts go on with it; its end is waited for.")
            again = _watched(journey)
        else:
            again = _gone_on(journey, said)
            left, before = _left(journey), left
            if left != before:
                until = time.monotonic() + RESUME_S
        again.last = again.last or watched.last
        watched, where = again, settled(journey, settle_s)
        if where == Where.STUCK and time.monotonic() > until:
            break
    return watched, where


def _watched(journey: Journey) -> Watched:
    """A move that goes on without us, watched to its end."""
    told = ask(journey, journey.source)
    post_copied = not isinstance(told, Unheard) and bool(
        told and told.reason == "postcopy"
    )
    child = connection.spawn(watch, journey.here, journey.guest)
    try:
        return monitor.follow(journey.run, child, journey.wish, post_copied=post_copied)
    finally:
        child.kill()


def _gone_on(journey: Journey, said: set[str]) -> Watched:
    """Wait a moment for the rest, or have it sent anew where both connections broke."""
    watched = Watched()
    there = ask(journey, journey.target)
    if not isinstance(there, Unheard) and there and there.reason == BROKEN:
        watched = _resumed(journey)
    journey.run.progress(0, _PHASE)
    error = watched.ended.error if watched.ended else None
    if error and error.detail not in said:
        said.add(error.detail)
        journey.run.log(f"Not yet: {error.detail}")
    time.sleep(_AGAIN_S)
    return watched


def _resumed(journey: Journey) -> Watched:
    """One attempt to send the rest by a new connection."""
    try:
        trip = _trip(journey)
    except AppError as error:  # its host cannot be asked, or knows nothing of it now
        return Watched(ended=Ended(error))
    journey.run.log("Both connections broke: the rest is sent by a new one.")
    child = connection.spawn(carry, journey.here, trip, journey.there)
    try:
        return monitor.follow(journey.run, child, journey.wish, post_copied=True)
    finally:
        child.kill()


def _trip(journey: Journey) -> Trip:
    """The same migration, to be gone on with: libvirt is told the same as before."""
    with connection.connect(journey.here) as here:
        luggage = here.run(migration_luggage.pack, journey.guest)
    return trips.resuming(journey, luggage)


def _left(journey: Journey) -> int | None:
    """How much of its memory is still at its source; None when nobody can say."""
    try:
        with connection.connect(journey.here) as here:
            job = here.run(migration.broken_job, journey.guest)
    except AppError:
        return None
    return job.memory_left_bytes if job else None
