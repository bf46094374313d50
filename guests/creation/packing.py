"""Many guests onto many hosts, quickly: the same choices as `placement.choose`. Pure.

A host only ever gets fuller here, so what was best before is still best unless a guest
was put there since: each kind of guest keeps a heap of hosts and looks again only at
the top of it.
"""

import heapq
from collections.abc import Container, Iterable
from dataclasses import dataclass, field, fields, replace
from operator import attrgetter
from typing import Any

from guests.creation.filters import against, homes_of
from guests.creation.placement import rank
from guests.creation.places import Need, Room, pools_for

Rank = tuple[int, int, float, str]
_Entry = tuple[Rank, int, int]  # its rank, the host, and how often it was changed then


_SHAPE = attrgetter(
    *(each.name for each in fields(Need) if each.name not in {"name", "hosts"})
)


@dataclass(slots=True)
class _Shape:
    """One kind of guest, but for its name, and the hosts that take it."""

    need: Need
    heap: list[_Entry] = field(default_factory=list)


class Board:
    """Hosts that are filled guest by guest; each counts all those before it."""

    def __init__(self, rooms: Iterable[Room]) -> None:
        self.rooms = {room.id: room for room in rooms}
        self._changes = dict.fromkeys(self.rooms, 0)
        self._shapes: dict[Any, _Shape] = {}

    def place(self, need: Need, among: Container[int] | None = None) -> Room | None:
        """Put it on the best host of `among` (None: of all); that host as it was before.

        None, and nothing is changed, when it fits nowhere.
        """
        found = self.best(need, among)
        if found is not None:
            self._put(need, found)
        return found

    def best(self, need: Need, among: Container[int] | None = None) -> Room | None:
        """Where `place` would put it."""
        if need.keep:
            return self._by_rules(need, among)
        key = _SHAPE(need)
        shape = self._shapes.get(key)
        if shape is None:
            shape = self._shape(replace(need, name="", hosts=None))
            self._shapes[key] = shape
        aside: list[_Entry] = []
        found = None
        while shape.heap and found is None:
            entry = heapq.heappop(shape.heap)
            room = self._still(shape, entry)
            if room is None:
                continue
            aside.append(entry)
            if self._allowed(need, room, among):
                found = room
        for entry in aside:
            heapq.heappush(shape.heap, entry)
        return found

    def why_not(self, need: Need, room_id: int) -> tuple[str, ...]:
        """Why it does not fit there any more; empty when it does."""
        homes = homes_of(need, self.rooms.values())
        return tuple(against(need, self.rooms[room_id], homes))

    def _put(self, need: Need, room: Room) -> None:
        pools = pools_for(need, room) or []
        self.rooms[room.id] = room.with_guest(need, pools)
        self._changes[room.id] += 1

    def _shape(self, need: Need) -> _Shape:
        entries = [
            self._entry(need, room)
            for room in self.rooms.values()
            if next(against(need, room, {}), None) is None
        ]
        heapq.heapify(entries)
        return _Shape(need, entries)

    def _still(self, shape: _Shape, entry: _Entry) -> Room | None:
        """The host, when the entry is true yet; else it gets another, if it still fits."""
        _, room_id, change = entry
        room = self.rooms[room_id]
        if change == self._changes[room_id]:
            return room
        if next(against(shape.need, room, {}), None) is None:
            heapq.heappush(shape.heap, self._entry(shape.need, room))
        return None

    def _entry(self, need: Need, room: Room) -> _Entry:
        return rank(need, room, {}), room.id, self._changes[room.id]

    def _allowed(self, need: Need, room: Room, among: Container[int] | None) -> bool:
        return (
            (among is None or room.id in among)
            and (need.hosts is None or room.id in need.hosts)
            and need.name not in room.names
        )

    def _by_rules(self, need: Need, among: Container[int] | None) -> Room | None:
        """Rules can make a host better, too: all of them are looked at."""
        homes = homes_of(need, self.rooms.values())
        fitting = [
            room
            for room in self.rooms.values()
            if self._allowed(need, room, among)
            and next(against(need, room, homes), None) is None
        ]
        return min(fitting, key=lambda room: rank(need, room, homes), default=None)
