"""What came true of a move: both hosts are asked by UUID, whatever a call has said.

An error from libvirt is not a failure, and silence is none either: the guest may run at
its target all the same. It is looked for until one of the two certainly has it; what
libvirt left half done is brought to an end, and never so that two copies run.
"""

import time
from enum import StrEnum

from guests.migration import trips
from guests.migration.journey import Journey
from hosts.models import Host
from hosts.services import address_of
from kvmweb.errors import AppError, HostUnreachable
from kvmweb.virt import connection, domains, migration, migration_luggage
from kvmweb.virt.migration import BROKEN, Whereabouts
from kvmweb.virt.types import DomainState

SETTLE_S = 75.0  # libvirt itself needs up to half a minute to see that a host is gone
_LOOK_S = 1.0


class Where(StrEnum):
    """What is known of the guest after a move."""

    MOVED = "moved"  # it is at its target
    STAYED = "stayed"  # it is at its source, as it was
    OFF = "off"  # it is off at its source
    UNDER_WAY = "under way"  # libvirt goes on
    STUCK = "stuck"  # post-copy broke off: half of its memory is on each host
    LOST = "lost"  # the same, and its source has lost its half
    GONE = "gone"  # neither host knows it
    BOTH = "both"  # it runs on both
    HALF = "half"  # libvirt has still to clear up, or we have
    UNKNOWN = "unknown"  # who would know cannot be asked


_OPEN = frozenset({Where.UNDER_WAY, Where.STUCK, Where.BOTH, Where.HALF, Where.UNKNOWN})


class Unheard:
    """A host that cannot be asked now."""


UNHEARD = Unheard()
Told = Whereabouts | None | Unheard


def judged(here: Told, there: Told) -> Where:
    """What the two hosts say together: its source and its target. Pure."""
    if isinstance(here, Unheard) or isinstance(there, Unheard):
        return _judged_by_one(here, there)
    if _stuck(here) or _stuck(there):
        return _judged_broken(here, there)
    if _leaving(here):
        return Where.UNDER_WAY
    return _judged_by_both(here, there)


def settled(journey: Journey, within_s: float = SETTLE_S) -> Where:
    """Where the guest is, once that is certain; what was left half done is ended.

    UNDER_WAY and STUCK at once; UNKNOWN or HALF when it stays so for too long. Whether
    one of the hosts has still to be asked is written into the journey's notes.
    """
    until = time.monotonic() + within_s
    ended_at = time.monotonic() + within_s / 2  # libvirt may clear up by itself first
    while True:
        here, there = ask(journey, journey.source), ask(journey, journey.target)
        where = judged(here, there)
        if where == Where.HALF and (time.monotonic() > ended_at or _plain(here, there)):
            _end_half(journey, here, there)
            where = judged(ask(journey, journey.source), ask(journey, journey.target))
        waits = where in {Where.HALF, Where.UNKNOWN, Where.GONE}
        if not waits or time.monotonic() > until:
            where = Where.LOST if _in_vain(here, there) else where
            unheard = isinstance(here, Unheard) or isinstance(there, Unheard)
            journey.notes.open = unheard or where in _OPEN
            if where == Where.STAYED and journey.post_copied:
                journey.run.keep(post_copied=False)  # else it could not run here
            return where
        journey.run.progress(0, "asking both hosts what came true")
        time.sleep(_LOOK_S)


def _judged_broken(here: Whereabouts | None, there: Whereabouts | None) -> Where:
    """Post-copy broke off: it can go on only while each host has its half."""
    if _active(here) and _active(there):
        return Where.STUCK
    return Where.HALF if _active(here) else Where.LOST


def _judged_by_one(here: Told, there: Told) -> Where:
    """One host cannot be asked: the other may know enough."""
    if _stuck(here) or _stuck(there):
        return Where.STUCK
    if isinstance(there, Whereabouts) and there.whole and there.job != "in":
        return Where.MOVED
    if isinstance(here, Whereabouts) and here.job == "out":
        return Where.UNDER_WAY
    if isinstance(here, Whereabouts) and here.whole:
        return Where.STAYED  # libvirt lets it go on only when it cannot run elsewhere
    return Where.UNKNOWN


def _judged_by_both(here: Whereabouts | None, there: Whereabouts | None) -> Where:
    on_source, on_target = _runs(here), _runs(there)
    if on_source or on_target:
        if on_source and on_target:
            return Where.BOTH
        other = here if on_target else there
        end = Where.MOVED if on_target else Where.STAYED
        left = other is not None and (on_target or other.active)
        return Where.HALF if left else end
    if _active(here) or _active(there):
        return Where.HALF
    if here:
        return Where.OFF
    return Where.MOVED if there else Where.GONE


def _runs(told: Whereabouts | None) -> bool:
    return told is not None and told.whole


def _active(told: Told) -> bool:
    return isinstance(told, Whereabouts) and told.active


def _leaving(told: Whereabouts | None) -> bool:
    return told is not None and (told.job == "out" or told.reason == "postcopy")


def ask(journey: Journey, host: Host) -> Told:
    """What this host says of the guest now."""
    try:
        with connection.connect(address_of(host)) as asked:
            return asked.run(migration.whereabouts, journey.guest)
    except HostUnreachable:
        return UNHEARD


def _stuck(told: Told) -> bool:
    """Whether post-copy broke off here, and this half is still there."""
    return isinstance(told, Whereabouts) and told.active and told.reason == BROKEN


def _plain(here: Told, there: Told) -> bool:
    """Whether nothing but a definition is left at the source of a guest that moved."""
    moved = isinstance(there, Whereabouts) and there.whole
    return moved and isinstance(here, Whereabouts) and not here.active


def _in_vain(here: Told, there: Told) -> bool:
    """Whether it waits at its target for memory that its source has not any more."""
    waits = isinstance(there, Whereabouts) and there.job == "in" and not there.half
    return waits and not isinstance(here, Unheard) and not _active(here)


def _end_half(journey: Journey, here: Told, there: Told) -> None:
    """End what is left of the move where the guest is not. Never the one that runs."""
    try:
        if isinstance(there, Whereabouts) and there.whole:
            _end_twin(journey, here, there)
            return
        if isinstance(there, Whereabouts) and there.active:
            with connection.connect(journey.there) as asked:
                if asked.run(migration.discard_half, journey.guest):
                    journey.run.log(
                        f"What waited for it on {journey.target.name} was ended."
                    )
            return  # only once that is certain it goes on at its source
        if isinstance(here, Whereabouts) and here.half and here.reason == "migration":
            _go_on(journey)
        if _stuck(here) and not isinstance(there, Unheard):
            _end_rest(journey)  # it does not run there: see above
    except AppError as error:
        journey.run.log(f"Not yet: {error}")


def _end_twin(journey: Journey, here: Told, there: Whereabouts) -> None:
    """It runs at its target: what stands still or is only defined here is not it."""
    if not isinstance(here, Whereabouts) or here.whole:
        return
    if here.persistent and not there.persistent:
        _define_there(journey)  # libvirt was cut off before it could
    with connection.connect(journey.here) as asked:
        if here.active:
            asked.run(migration.discard_half, journey.guest)
        if here.persistent:
            asked.run(domains.undefine, journey.guest)
    journey.run.log(f"What was left of it on {journey.source.name} was taken away.")


def _define_there(journey: Journey) -> None:
    """Its definition, which its source is about to forget, at its target."""
    with connection.connect(journey.here) as asked:
        luggage = asked.run(migration_luggage.pack, journey.guest)
    with connection.connect(journey.there) as asked:
        asked.run(domains.define, trips.kept(journey, luggage))


def _end_rest(journey: Journey) -> None:
    """Its target has lost it in the middle of post-copy: half a memory runs nowhere."""
    with connection.connect(journey.here) as asked:
        asked.run(migration.discard_half, journey.guest)
    journey.run.log(f"Its half of a memory on {journey.source.name} was ended.")


def _go_on(journey: Journey) -> None:
    """It stands still at its source because of a move that failed: let it go on."""
    if journey.notes.state != DomainState.RUNNING:
        return
    with connection.connect(journey.here) as asked:
        asked.run(domains.resume, journey.guest)
    journey.run.log(f"It stood still on {journey.source.name} and goes on there.")
