"""Where the guests of a host go when it is emptied, and which cannot leave. Pure.

Each counts those before it, so nothing is promised twice; the hardest to place come
first. The same values give the same plan: the rehearsal is the run.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from guests.creation.packing import Board
from guests.creation.places import Need, Room, gib
from guests.draining.loss import Loss, Resident, losses

SHARED, COPY, NONE = "shared", "copy", "none"
_CHEAP = (SHARED, NONE)  # only memory travels


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a guest cannot go to a host, and what would mend it."""

    host: str
    code: str
    message: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Offer:
    """A host that would take a guest, by which means and at what cost."""

    host: int
    storage: str = NONE
    seconds: float = 0.0
    downtime_ms: int = 0
    bytes: int = 0
    converges: bool = True

    def as_json(self) -> dict[str, float | int | bool]:
        """What it is expected to cost, as rows and the API say it."""
        return {
            "seconds": self.seconds,
            "downtime_ms": self.downtime_ms,
            "bytes": self.bytes,
            "converges": self.converges,
        }


@dataclass(frozen=True, slots=True)
class Traveller:
    """A guest that shall leave; `reasons` are those of the hosts that do not take it."""

    guest: str  # its UUID
    need: Need  # its disks are those that a copy would need room for
    offers: tuple[Offer, ...]
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class PlannedMove:
    """A guest and where it goes."""

    guest: str
    name: str
    host: int
    host_name: str
    offer: Offer
    why: tuple[str, ...]
    vcpus: int = 0
    memory_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Stuck:
    """A guest that goes nowhere, and why not to each host."""

    guest: str
    name: str
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """All of it; `lost` says what would have no place if one more host were lost."""

    moves: tuple[PlannedMove, ...]
    stuck: tuple[Stuck, ...]
    lost: tuple[Loss, ...] = ()

    @property
    def still_fits_without_one_more(self) -> bool:
        """Whether the rest would have a place, whichever host were lost next."""
        return not any(loss.stranded for loss in self.lost)

    @property
    def bytes(self) -> int:
        """What travels in all."""
        return sum(move.offer.bytes for move in self.moves)

    @property
    def seconds(self) -> float:
        """What it takes one after the other."""
        return sum(move.offer.seconds for move in self.moves)


def plan(
    travellers: Iterable[Traveller],
    rooms: Iterable[Room],
    *,
    leaving: frozenset[int],
    residents: Sequence[Resident] = (),
) -> Plan:
    """A place for as many as fit, none of them on a host that is left or in maintenance.

    `residents` are the guests that run on the other hosts, for what if one were lost.
    """
    board = Board(room for room in rooms if room.id not in leaving)
    moves, stuck = [], []
    for each in sorted(travellers, key=_hardest_first):
        move = _placed(each, board)
        if move is None:
            stuck.append(Stuck(each.guest, each.need.name, _reasons(each, board)))
        else:
            moves.append(move)
    there = [*residents, *(_resident(move) for move in moves)]
    return Plan(tuple(moves), tuple(stuck), losses(board.rooms.values(), there))


def _hardest_first(each: Traveller) -> tuple[int, int, str, str]:
    need = each.need
    return len(each.offers), -need.memory_bytes, need.name, each.guest


def _placed(each: Traveller, board: Board) -> PlannedMove | None:
    """By the cheap way where there is one with room; else its disks are copied."""
    cheap: dict[int, Offer] = {}
    dear: dict[int, Offer] = {}
    for offer in each.offers:
        (cheap if offer.storage in _CHEAP else dear)[offer.host] = offer
    if cheap:
        need = replace(each.need, disks=()) if each.need.disks else each.need
        if (room := board.place(need, cheap)) is not None:
            return _move(each, room, cheap[room.id], len(cheap))
    if dear and (room := board.place(each.need, dear)) is not None:
        return _move(each, room, dear[room.id], len(dear))
    return None


def _move(each: Traveller, room: Room, offer: Offer, of: int) -> PlannedMove:
    return PlannedMove(
        guest=each.guest,
        name=each.need.name,
        host=room.id,
        host_name=room.name,
        offer=offer,
        why=_why(room, offer, of),
        vcpus=each.need.vcpus,
        memory_bytes=each.need.memory_bytes,
    )


def _why(room: Room, offer: Offer, of: int) -> tuple[str, ...]:
    left = f"It has room: {gib(room.memory_left_bytes)} of memory left."
    first = "It is the only host that takes it." if of == 1 else left
    means = {
        SHARED: "Its disks are on storage that both hosts share.",
        COPY: "Its disks are copied there.",
    }
    return (first, means[offer.storage]) if offer.storage in means else (first,)


def _reasons(each: Traveller, board: Board) -> tuple[Reason, ...]:
    """Of the hosts that never would, and of those that are full by now."""
    full = [
        Reason(
            board.rooms[offer.host].name,
            "no_room",
            sentence,
            "Move another guest away from it, or shut one down.",
        )
        for offer in each.offers
        if offer.host in board.rooms
        for sentence in board.why_not(_as_copied(each.need, offer), offer.host)
    ]
    found = (*each.reasons, *full)
    nobody = Reason("", "no_host", "There is no other host.", "Add a host.")
    return found or (nobody,)


def _as_copied(need: Need, offer: Offer) -> Need:
    return need if offer.storage == COPY else replace(need, disks=())


def _resident(move: PlannedMove) -> Resident:
    return Resident(move.name, move.host, move.memory_bytes)
