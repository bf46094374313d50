"""The steps of a move: looked at, prepared, called, and afterwards made true or undone."""

import time
from dataclasses import replace
from typing import Any

from guests.far import ASK_S, OFF
from guests.migration import (
    carrying,
    known,
    monitor,
    questions,
    records,
    resuming,
    trips,
    ways,
)
from guests.migration.aftermath import Unheard, Where, ask
from guests.migration.arriving import arrived, concluded, undo, undone
from guests.migration.journey import Journey
from guests.migration.monitor import Watched
from guests.migration.sides import Verdict
from guests.migration.wishes import LIVE, OFFLINE
from guests.models import Guest
from guests.proof import watching
from kvmweb.errors import AppError, Conflict, HostTimeout, NotFound
from kvmweb.operations.registry import Recovery
from kvmweb.operations.run import Run
from kvmweb.virt import connection, domains, migration, migration_luggage
from kvmweb.virt.migration import Whereabouts
from kvmweb.virt.migration_jobs import Trip, carry
from kvmweb.virt.migration_luggage import Luggage
from kvmweb.virt.xml.moved import moved

_ROWS_S = 6.0  # how long what a host has already is waited for in the rows
_AGAIN_S = 0.3
_LED = "kvmweb leads the move, with a connection to each."


def move(run: Run) -> dict[str, Any]:
    """Bring the guest of this operation to its target.

    Raises what went wrong, once it is where it was and nothing is left over there.
    """
    journey = Journey(run)
    journey.need_both()
    found = _found(journey)
    with connection.connect(journey.here) as here:
        luggage = here.run(migration_luggage.pack, journey.guest)
    means = _means(journey, luggage)
    _need_movable(journey, found, luggage, means)
    records.begin(journey, means.storage)
    result = _moved(journey, luggage, means)
    _taken_up(journey, result)
    return result


def _moved(journey: Journey, luggage: Luggage, means: Verdict) -> dict[str, Any]:
    with undone(journey):
        carrying.plan(journey, luggage, means.copied)
        carrying.make(journey)
        carrying.lay_aside(journey)
        if not journey.notes.live:
            carrying.send(journey)
    if not journey.notes.live:
        return _offline(journey, luggage)
    return _live(journey, luggage, shared=bool(means.shared))


def recover(run: Run) -> Recovery:
    """After a crash: a move goes on without its worker, so its end is waited for."""
    journey = Journey(run)
    if not journey.notes.begun:
        undo(journey)
        return Recovery.AGAIN
    if not journey.notes.live:
        _taken_up(journey, _switched(journey, ""))
        return Recovery.DONE
    watched, where = resuming.to_its_end(journey)
    if where == Where.STAYED and not watched.cancelled:
        undo(journey)
        run.check_cancelled()
        journey.notes.begun = journey.notes.open = False
        journey.keep()
        return Recovery.AGAIN
    _taken_up(journey, concluded(journey, watched, where, None))
    return Recovery.DONE


def _taken_up(journey: Journey, result: dict[str, Any]) -> None:
    """What was kept on the way is of no use any more, once both hosts have said it."""
    kept = {key: journey.run.result.get(key) for key in ("move", "post_copied")}
    journey.run.result.clear()
    if journey.notes.open:
        journey.run.result.update(kept)
    journey.run.result.update(result)


def _found(journey: Journey) -> Whereabouts:
    """How it is at its source. Raises Conflict when it cannot be moved so."""
    name, source = journey.name, journey.source.name
    with connection.connect(journey.here) as here:
        found = here.run(migration.whereabouts, journey.guest)
    if found is None:
        raise NotFound(f"{source} does not know {name} any more.")
    if found.job in {"out", "in"}:
        raise Conflict(
            f"{name} is being moved already, by somebody outside kvmweb.",
            hint="Wait for the end of that.",
        )
    if found.job:
        raise Conflict(f"{source} is busy with {name}: try again when that has ended.")
    if journey.wish.mode == LIVE and found.state in OFF:
        raise Conflict(f"{name} is off by now: move it offline.")
    if journey.wish.mode == OFFLINE and found.state not in OFF:
        raise Conflict(
            f"{name} is {found.state} by now: move it live, or shut it down."
        )
    notes = journey.notes
    notes.live = found.active
    notes.state, notes.persistent = found.state.value, found.persistent
    notes.autostart = found.autostart
    return found


def _means(journey: Journey, luggage: Luggage) -> Verdict:
    """By which means it goes there. Raises Conflict with every reason why it may not.

    Rows may be a moment behind its host, so that each of its disks is in there is seen to.
    """
    journey.run.progress(0.01, "asking both hosts")
    name, target = journey.name, journey.target
    disks = {disk.target for disk in luggage.disks}
    until = time.monotonic() + _ROWS_S
    while True:
        guest = Guest.objects.select_related("host").filter(pk=journey.guest).first()
        if guest is None:
            raise NotFound(f"{name} is not known any more.")
        verdict = questions.deep(journey.run, guest, target, live=journey.notes.live)
        if not verdict.ok:
            told = " ".join(f"{it.message} {it.fix}".strip() for it in verdict.reasons)
            raise Conflict(f"{name} cannot move to {target.name}. {told}")
        unknown = disks - {*verdict.copied, *verdict.shared}
        if not unknown:
            _need_wished(journey, verdict)
            return verdict
        if time.monotonic() > until:
            raise Conflict(
                f"{', '.join(sorted(unknown))} of {name} was plugged in just now, and it "
                "is not known yet where it lies.",
                hint="Try again in a moment.",
            )
        time.sleep(_AGAIN_S)


def _need_wished(journey: Journey, verdict: Verdict) -> None:
    """Nothing. Raises Conflict when its disks cannot go along as somebody wished."""
    if journey.wish.storage == "copy" and verdict.shared:
        raise Conflict(
            f"{', '.join(verdict.shared)} of {journey.name} lies on storage that both "
            "hosts see: a copy would be written over itself."
        )
    if journey.wish.storage == "shared" and verdict.copied:
        raise Conflict(
            f"{', '.join(verdict.copied)} of {journey.name} lies on no storage that both "
            "hosts are known to see.",
            hint="Have its disks copied.",
        )


def _need_movable(
    journey: Journey, found: Whereabouts, luggage: Luggage, means: Verdict
) -> None:
    """Nothing. Raises Conflict for what no move can bring along."""
    name = journey.name
    if found.managed_save:
        raise Conflict(
            f"{name} is saved: its memory lies on {journey.source.name} alone.",
            hint="Start it, then move it live.",
        )
    if found.snapshots and means.copied:
        raise Conflict(
            f"{name} has snapshots, and a copy of its disks would lose them.",
            hint="Delete them first, or move it on storage that both hosts see.",
        )
    if not journey.notes.live and (luggage.nvram or luggage.tpm):
        what = "TPM" if luggage.tpm else "UEFI settings"
        raise Conflict(
            f"{name} keeps its {what} in files of {journey.source.name}, which only a "
            "running guest takes along.",
            hint="Start it, and move it live.",
        )


def _live(journey: Journey, luggage: Luggage, *, shared: bool) -> dict[str, Any]:
    with undone(journey):
        trip = trips.trip(journey, luggage, shared=shared)
        journey.run.check_cancelled()
        journey.notes.begun = journey.notes.open = True
        journey.notes.encrypted = trip.tls
        journey.keep()
    with watching.watch(watching.address_of(journey.guest)) as seen:
        watched = _called(journey, trip)
    watched.seen_downtime_ms = seen.longest_gap_ms
    error = watched.ended.error if watched.ended else None
    if error is None:  # libvirt has heard both hosts
        journey.notes.open = False
        return concluded(journey, watched, Where.MOVED, None)
    again, where = resuming.to_its_end(journey)
    watched.last = again.last or watched.last
    return concluded(journey, watched, where, error)


def _called(journey: Journey, trip: Trip) -> Watched:
    """The long call, watched to its end; led by us when the hosts do not meet."""
    run, source, target = journey.run, journey.source.name, journey.target.name
    if not trip.target_uri:
        run.log(f"{source} cannot sign in to {target} by itself. {_LED}")
    watched = _followed(journey, trip)
    if trip.target_uri and _again(watched, "unreached"):
        run.log(f"{_told(watched)} {_LED}")
        trip = replace(trip, target_uri="")
        watched = _followed(journey, trip)
    if trip.tls and _again(watched, "no_tls"):
        run.log(
            f"{_told(watched)} It goes unencrypted: QEMU has no certificates there."
        )
        journey.notes.encrypted = False
        journey.keep()
        known.keep_unencrypted(journey.source, journey.target)
        watched = _followed(journey, replace(trip, tls=False))
    return watched


def _again(watched: Watched, why: str) -> bool:
    """Whether the call did not begin, for this reason, and nobody wants it to stop."""
    return not watched.cancelled and bool(getattr(watched.ended, why, False))


def _told(watched: Watched) -> str:
    error = watched.ended.error if watched.ended else None
    return error.detail if error else ""


def _followed(journey: Journey, trip: Trip) -> Watched:
    child = connection.spawn(carry, journey.here, trip, journey.there)
    try:
        return monitor.follow(journey.run, child, journey.wish)
    finally:
        child.kill()


def _offline(journey: Journey, luggage: Luggage) -> dict[str, Any]:
    """Its disks are there: now its definition changes hosts. It is off all the way."""
    journey.run.progress(0.92, "defining it")
    disks = carrying.as_made(journey)
    xml = moved(luggage.inactive_xml, disks, reached=ways.by_network(journey.target))
    with undone(journey):
        with connection.connect(journey.here) as here:
            state = here.run(domains.state, journey.guest)
        if state not in OFF or state is None:
            raise Conflict(
                f"{journey.name} is {state or 'gone'} on {journey.source.name} by now: "
                "somebody outside kvmweb saw to that."
            )
        journey.run.check_cancelled()
        journey.notes.begun = journey.notes.open = True
        journey.keep()
    return _switched(journey, xml)


def _switched(journey: Journey, xml: str) -> dict[str, Any]:
    """Defined there and forgotten here; each only once, whoever does it again.

    `xml` is "" when it was begun by another: then nothing new is defined.
    """
    error: AppError | None = None
    if xml:
        try:
            with connection.connect(journey.there) as there:
                there.run(domains.define, xml)
        except AppError as refused:
            error = refused
    if not _defined_there(journey):
        journey.notes.open, journey.notes.known = False, True
        undo(journey)
        told = f" {error.detail}" if error else ""
        raise Conflict(
            f"{journey.name} did not move to {journey.target.name}.{told} It is off on "
            f"{journey.source.name}, as it was."
        )
    with connection.connect(journey.here) as here:
        if here.run(domains.state, journey.guest) in {*OFF} - {None}:
            here.run(domains.undefine, journey.guest)
    journey.notes.open = False
    return arrived(journey, Watched(), None)


def _defined_there(journey: Journey) -> bool:
    """Whether the target knows it. Raises HostTimeout when it does not answer in time."""
    until = time.monotonic() + ASK_S
    while isinstance(told := ask(journey, journey.target), Unheard):
        if time.monotonic() > until:
            raise HostTimeout(
                f"{journey.target.name} does not answer: whether {journey.name} is "
                f"defined there is not known. It is off on {journey.source.name}.",
                hint="Look at both when it answers; one of the two is to be undefined.",
            )
        time.sleep(1)
    return told is not None
