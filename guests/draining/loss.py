"""What if one more host were lost: whose guests would find no place. Pure, by memory.

A look ahead, not a plan: the largest guest goes where most is left, and so on. What
else could speak against a host is only known for the guests that move now.
"""

import heapq
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from guests.creation.places import Room


@dataclass(frozen=True, slots=True)
class Resident:
    """A guest that runs, and where."""

    name: str
    host: int
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Loss:
    """A host that may be lost, and its guests that would find no place then."""

    host: int
    host_name: str
    guests: int
    stranded: tuple[str, ...]


def losses(rooms: Iterable[Room], residents: Sequence[Resident]) -> tuple[Loss, ...]:
    """One for each host in service that has guests, by name."""
    serving = [room for room in rooms if room.up and not room.maintenance]
    there: dict[int, list[Resident]] = defaultdict(list)
    for resident in residents:
        there[resident.host].append(resident)
    return tuple(
        Loss(room.id, room.name, len(there[room.id]), _stranded(room, serving, there))
        for room in sorted(serving, key=lambda room: room.name)
        if there[room.id]
    )


def _stranded(
    lost: Room, serving: list[Room], there: dict[int, list[Resident]]
) -> tuple[str, ...]:
    left = [
        (-room.memory_left_bytes, room.id) for room in serving if room.id != lost.id
    ]
    heapq.heapify(left)
    stranded = []
    for guest in sorted(there[lost.id], key=lambda it: (-it.memory_bytes, it.name)):
        if not left or -left[0][0] < guest.memory_bytes:
            stranded.append(guest.name)
            continue
        most, room_id = left[0]
        heapq.heapreplace(left, (most + guest.memory_bytes, room_id))
    return tuple(sorted(stranded))
