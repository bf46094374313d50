"""Which guests to move so that fewer wait for CPUs and no host runs short. Pure.

What counts is what guests suffer: the time their vCPUs were ready and no CPU was free.
A host where nobody waits and memory is left is never touched, however busy it is.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from guests.creation.filters import against, homes_of
from guests.creation.places import Need, Room, gib
from guests.draining.planning import COPY, Offer, PlannedMove, Traveller

MOST_MOVES = 10
HIGH_MEMORY, CALM_MEMORY = 0.92, 0.85  # of what a host may promise
CALM_CPUS = 0.9  # of its CPUs in use: above it guests begin to wait
LEAST_RELIEF_CPUS = 0.05


@dataclass(frozen=True, slots=True)
class Sufferer:
    """A guest that could move: where it is, what it uses, what it waits for."""

    traveller: Traveller
    host: int
    used_cpus: float = 0.0
    waiting_cpus: float = 0.0  # CPUs it would have used, too, had they been free

    @property
    def demand_cpus(self) -> float:
        """What it would use where nobody has to wait."""
        return self.used_cpus + self.waiting_cpus


@dataclass(frozen=True, slots=True)
class HostLoad:
    """How a host and its guests fare."""

    host: int
    name: str
    used_cpus: float = 0.0
    waiting_cpus: float = 0.0
    memory_share: float = 0.0  # promised, of what may be


@dataclass(frozen=True, slots=True)
class Change:
    """One move, and what it is good for."""

    move: PlannedMove
    source: int
    source_name: str
    relief_cpus: float  # fewer CPUs that guests wait for


@dataclass(frozen=True, slots=True)
class Proposal:
    """Moves in their order, and how the hosts fare before and after."""

    changes: tuple[Change, ...] = ()
    before: tuple[HostLoad, ...] = ()
    after: tuple[HostLoad, ...] = ()

    @property
    def gain_percent(self) -> float:
        """Of what guests wait for, how much would be gone; memory that is short counts."""
        before, after = _trouble(self.before), _trouble(self.after)
        return max(0.0, 100 * (before - after) / before) if before > 0 else 0.0


@dataclass(slots=True)
class _Scene:
    """The hosts while moves are added."""

    rooms: dict[int, Room]
    loads: dict[int, HostLoad]
    here: list[Sufferer]  # those that have not been moved
    changes: list[Change] = field(default_factory=list)


def propose(
    sufferers: Iterable[Sufferer],
    rooms: Iterable[Room],
    loads: Mapping[int, HostLoad],
    *,
    most: int = MOST_MOVES,
) -> Proposal:
    """The few moves that help most; each guest moves at most once, so it always ends."""
    every = {room.id: room for room in rooms}
    begun = {
        room.id: _with_share(loads.get(room.id, HostLoad(room.id, room.name)), room)
        for room in every.values()
    }
    here = sorted(
        sufferers, key=lambda it: (it.traveller.need.name, it.traveller.guest)
    )
    scene = _Scene(every, dict(begun), here)
    while len(scene.changes) < most and (found := _best(scene)) is not None:
        _make(scene, *found)
    return Proposal(tuple(scene.changes), _told(begun), _told(scene.loads))


def _best(scene: _Scene) -> tuple[Sufferer, Offer, float] | None:
    """The move with most relief; among equals the cheapest, then by name."""
    found: list[tuple[float, float, int, Sufferer, Offer]] = []
    for index, guest in enumerate(scene.here):
        load = scene.loads.get(guest.host)
        if load is None or not _in_need(load):
            continue
        for offer in guest.traveller.offers:
            relief = _relief(scene, guest, offer)
            if relief > 0 and _fits(scene, guest, offer):
                found.append((-relief, offer.seconds, index, guest, offer))
    if not found:
        return None
    relief, _, _, guest, offer = min(found, key=lambda it: it[:3])
    return guest, offer, -relief


def _in_need(load: HostLoad) -> bool:
    return load.waiting_cpus >= LEAST_RELIEF_CPUS or load.memory_share > HIGH_MEMORY


def _relief(scene: _Scene, guest: Sufferer, offer: Offer) -> float:
    """How much less trouble there would be; 0 when it is not worth a move."""
    target = scene.loads.get(offer.host)
    if target is None or offer.host == guest.host:
        return 0.0
    source = scene.loads[guest.host]
    left, came = _without(scene, source, guest), _with(scene, target, guest)
    if came.memory_share > CALM_MEMORY:
        return 0.0
    gain = _trouble([source, target]) - _trouble([left, came])
    return gain if gain >= LEAST_RELIEF_CPUS else 0.0


def _fits(scene: _Scene, guest: Sufferer, offer: Offer) -> bool:
    room, need = scene.rooms[offer.host], _need(guest, offer)
    homes = homes_of(need, scene.rooms.values())
    return next(against(need, room, homes), None) is None


def _make(scene: _Scene, guest: Sufferer, offer: Offer, relief: float) -> None:
    source, target = scene.rooms[guest.host], scene.rooms[offer.host]
    need = _need(guest, offer)
    loads = scene.loads
    loads[guest.host] = _without(scene, loads[guest.host], guest)
    loads[offer.host] = _with(scene, loads[offer.host], guest)
    move = PlannedMove(
        guest=guest.traveller.guest,
        name=need.name,
        host=target.id,
        host_name=target.name,
        offer=offer,
        why=_why(guest, source, target),
        vcpus=need.vcpus,
        memory_bytes=need.memory_bytes,
    )
    scene.changes.append(Change(move, source.id, source.name, relief))
    scene.rooms[target.id] = target.with_guest(need, [])
    scene.rooms[source.id] = replace(
        source,
        vcpus_promised=max(0, source.vcpus_promised - need.vcpus),
        memory_promised_bytes=max(0, source.memory_promised_bytes - need.memory_bytes),
    )
    scene.here.remove(guest)


def _why(guest: Sufferer, source: Room, target: Room) -> tuple[str, ...]:
    if guest.waiting_cpus >= LEAST_RELIEF_CPUS:
        first = f"It waits for {guest.waiting_cpus:.2f} CPUs on {source.name}."
    else:
        first = f"Others on {source.name} wait for CPUs, or its memory is short."
    return first, f"{target.name} has {gib(target.memory_left_bytes)} of memory left."


def _need(guest: Sufferer, offer: Offer) -> Need:
    """Disks were judged host by host; several copies at once are not weighed here."""
    disks = guest.traveller.need.disks if offer.storage == COPY else ()
    return replace(guest.traveller.need, disks=() if disks else disks)


def _without(scene: _Scene, load: HostLoad, guest: Sufferer) -> HostLoad:
    """Its CPUs go to those that wait there."""
    freed = guest.used_cpus
    others = max(0.0, load.waiting_cpus - guest.waiting_cpus)
    helped = min(others, freed)
    return replace(
        load,
        used_cpus=max(0.0, load.used_cpus - freed + helped),
        waiting_cpus=others - helped,
        memory_share=load.memory_share - _share(scene, load, guest),
    )


def _with(scene: _Scene, load: HostLoad, guest: Sufferer) -> HostLoad:
    """What is above a calm use of its CPUs waits."""
    calm = scene.rooms[load.host].cpus * CALM_CPUS
    free = max(0.0, calm - load.used_cpus)
    served = min(free, guest.demand_cpus)
    return replace(
        load,
        used_cpus=load.used_cpus + served,
        waiting_cpus=load.waiting_cpus + guest.demand_cpus - served,
        memory_share=load.memory_share + _share(scene, load, guest),
    )


def _share(scene: _Scene, load: HostLoad, guest: Sufferer) -> float:
    return guest.traveller.need.memory_bytes / _limit(scene.rooms[load.host])


def _limit(room: Room) -> float:
    whole = (room.memory_bytes - room.reserved_bytes) * room.memory_overcommit
    return max(whole, 1.0)


def _with_share(load: HostLoad, room: Room) -> HostLoad:
    return replace(load, memory_share=room.memory_promised_bytes / _limit(room))


def _trouble(loads: Iterable[HostLoad]) -> float:
    """CPUs that are waited for; memory that is short counts as ten for all of a host."""
    return sum(
        load.waiting_cpus + 10 * max(0.0, load.memory_share - CALM_MEMORY)
        for load in loads
    )


def _told(loads: Mapping[int, HostLoad]) -> tuple[HostLoad, ...]:
    found: Sequence[HostLoad] = sorted(loads.values(), key=lambda load: load.name)
    return tuple(found)
