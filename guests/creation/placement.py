"""Which host a guest goes to, and why it and not the others. Pure.

Filters say why not; what is left is weighed. Several at once are spread: each choice is
taken into account by the next (`Room.with_guest`), so nothing is promised twice.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from guests.creation.filters import Homes, against, broken, homes_of
from guests.creation.places import (
    BLOCKS,
    FILES,
    GIB,
    Abilities,
    DiskNeed,
    Need,
    Room,
    RoomPool,
    TagRule,
    at_once,
    fits_pool,
    gib,
    pools_for,
)
from kvmweb.errors import Conflict

__all__ = [
    "BLOCKS",
    "FILES",
    "GIB",
    "Abilities",
    "Choice",
    "DiskNeed",
    "Need",
    "Refused",
    "Room",
    "RoomPool",
    "TagRule",
    "at_once",
    "choose",
    "choose_all",
    "fits_pool",
    "rank",
    "score",
]

_CPU_SHARE = 4.0  # vCPUs a core may be promised to before a host counts as full
_WEIGHTS = {"memory": 0.6, "cpus": 0.25, "storage": 0.15}


class Refused(Conflict):
    """No host fits; `reasons` has the sentences of each host by its name."""

    code, title = "no_host_fits", "No host fits"

    def __init__(self, name: str, reasons: dict[str, tuple[str, ...]]) -> None:
        told = " ".join(f"{host}: {' '.join(why)}" for host, why in reasons.items())
        super().__init__(f"No host fits {name}. {told or 'There are no hosts yet.'}")
        self.reasons = reasons


@dataclass(frozen=True, slots=True)
class Choice:
    """Where it goes: the pool of each disk in its order, and why."""

    room: Room
    pools: tuple[int, ...]
    why: tuple[str, ...]
    others: dict[str, tuple[str, ...]]  # why not there, by the name of the host
    warnings: tuple[str, ...] = ()


def choose(need: Need, rooms: Iterable[Room]) -> Choice:
    """The fitting host with the fewest of its siblings and most room left.

    Ties go to the first name. Raises Refused with the reasons of each host.
    """
    every = sorted(rooms, key=lambda room: room.name)
    homes = homes_of(need, every)
    reasons = {room.name: tuple(against(need, room, homes)) for room in every}
    fitting = [room for room in every if not reasons[room.name]]
    if not fitting:
        raise Refused(need.name, _told(need, every, reasons))
    best = min(fitting, key=lambda room: rank(need, room, homes))
    others = {
        room.name: reasons[room.name] or (_behind(need, best, room, homes),)
        for room in every
        if room.name != best.name
    }
    return Choice(
        room=best,
        pools=tuple(pools_for(need, best) or ()),
        why=tuple(_for(need, best, len(fitting))),
        others=others,
        warnings=tuple(_warnings(need, best, homes)),
    )


def choose_all(needs: Iterable[Need], rooms: Iterable[Room]) -> list[Choice]:
    """One choice for each, in order, every one counting those before it.

    Raises Refused when one finds no place: then nothing is placed at all.
    """
    left = {room.id: room for room in rooms}
    choices = []
    for need in needs:
        choice = choose(need, left.values())
        left[choice.room.id] = choice.room.with_guest(need, choice.pools)
        choices.append(choice)
    return choices


def _told(
    need: Need, rooms: list[Room], reasons: dict[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    """Only the hosts that were asked for at all, when somebody named some."""
    named = {room.name for room in rooms if need.hosts is None or room.id in need.hosts}
    return {name: why for name, why in reasons.items() if name in named} or reasons


def rank(need: Need, room: Room, homes: Homes) -> tuple[int, int, float, str]:
    """The least is the best: rules that are liked, siblings, room that is left, name."""
    disliked = sum(1 for _ in broken(need, room, homes, must=False))
    return disliked, room.siblings, -score(need, room), room.name


def score(need: Need, room: Room) -> float:
    """How much of everything would be left, 0 to 1; a copy of the image helps a little."""
    memory = (room.memory_left_bytes - need.memory_bytes) / max(room.memory_bytes, 1)
    share = room.cpu_overcommit or _CPU_SHARE
    busy = (room.vcpus_promised + need.vcpus) / (max(room.cpus, 1) * share)
    chosen = set(pools_for(need, room) or ())
    shares = [
        pool.free_bytes / max(pool.capacity_bytes, 1)
        for pool in room.pools
        if pool.id in chosen
    ]
    left = {"memory": memory, "cpus": 1 - busy, "storage": min(shares, default=1.0)}
    bonus = 0.1 if need.image and need.image in room.images else 0.0
    return bonus + sum(_WEIGHTS[what] * share for what, share in left.items())


def _for(need: Need, room: Room, fitting: int) -> Iterator[str]:
    if need.by_hand:
        yield "You chose it."
    elif fitting == 1:
        yield "It is the only host that fits."
    elif need.hosts is not None and need.because:
        yield "What it is made of is there."
    else:
        yield f"It has room: {gib(room.memory_left_bytes)} of memory left."
    if need.image and need.image in room.images:
        yield "It has a copy of the image already."
    if room.siblings:
        yield f"{room.siblings} of its siblings are there; others have as many."


def _behind(need: Need, best: Room, other: Room, homes: Homes) -> str:
    if disliked := list(broken(need, other, homes, must=False)):
        return f"It fits, but: {disliked[0]}"
    if other.siblings > best.siblings:
        return f"It fits, but {other.siblings} of its siblings go there."
    return f"It fits, too, but {best.name} has more room left."


def _warnings(need: Need, room: Room, homes: Homes) -> Iterator[str]:
    yield from broken(need, room, homes, must=need.by_hand)
    if need.by_hand and need.memory_bytes > room.memory_left_bytes:
        yield (
            f"{room.name} has only {gib(max(0, room.memory_left_bytes))} of memory left: "
            "it may not start, or slow down others."
        )
    if need.by_hand and need.vcpus > room.cpus:
        yield f"{room.name} has {room.cpus} CPUs, fewer than the guest."
