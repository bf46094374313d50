"""A post-copy that broke off: sent to its end by a new wire, as soon as there is one.

The guest belongs to its target then, and stands still there whenever it needs what its
source still has. Neither host can go on alone, so neither is ever ended here. libvirt
8.5 and QEMU can go on where it broke off; QEMU also goes on by itself when the network
is back before it has noticed.
"""

import time
from contextlib import suppress

from guests.migration import monitor, trips
from guests.migration.aftermath import Unheard, Where, ask, settled
from guests.migration.journey import Journey
from guests.migration.monitor import Watched
from kvmweb.errors import AppError, Conflict, HostError
from kvmweb.virt import connection, migration, migration_luggage
from kvmweb.virt.migration_jobs import Ended, Trip, carry, watch

RESUME_S = 90.0  # after that the operation ends; it is tried again later (`settling`)
_AGAIN_S = 2.0
_PHASE = "broke off in post-copy; trying to send the rest of its memory"


def to_its_end(journey: Journey, where: Where) -> tuple[Watched, Where]:
    """Watch or resume a move that is not over; what was seen, and where it is then.

    STUCK when the two hosts do not reach each other in time.
    """
    watched, until = Watched(), time.monotonic() + RESUME_S
    said: set[str] = set()
    while where in {Where.UNDER_WAY, Where.STUCK}:
        if where == Where.STUCK and time.monotonic() > until:
            break
        if where == Where.UNDER_WAY:
            journey.run.log("The hosts go on with it; its end is waited for.")
            again = _watched(journey)
        else:
            again = _resumed(journey)
            told = again.ended.error if again.ended else None
            if told and told.detail not in said:
                said.add(told.detail)
                journey.run.log(f"Not yet: {told.detail}")
        again.last = again.last or watched.last
        watched, where = again, settled(journey)
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


def _resumed(journey: Journey) -> Watched:
    """One attempt to send the rest anew; waits a moment where it cannot be made."""
    journey.run.progress(0, _PHASE)
    try:
        trip = _trip(journey)
    except AppError as error:  # its host cannot be asked, or knows nothing of it now
        time.sleep(_AGAIN_S)
        return Watched(ended=Ended(error))
    child = connection.spawn(carry, journey.here, trip, journey.there)
    try:
        watched = monitor.follow(journey.run, child, journey.wish, post_copied=True)
    finally:
        child.kill()
    if watched.ended and watched.ended.error:
        time.sleep(_AGAIN_S)
    return watched


def _trip(journey: Journey) -> Trip:
    """The same migration, to be gone on with: libvirt is told the same as before."""
    with connection.connect(journey.here) as here:
        luggage = here.run(migration_luggage.pack, journey.guest)
        with suppress(Conflict, HostError):
            # QEMU may still wait on the old wire: it has to see that this is cut.
            here.run(migration.break_post_copy, journey.guest)
    return trips.resuming(journey, luggage)
