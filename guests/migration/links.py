"""How fast the way between two hosts is: remembered from the moves that went it."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import median
from uuid import UUID

from django.utils import timezone

from guests.migration.cost import SETUP_S, STANDSTILL_MS, UNKNOWN_BYTES_S, Link
from guests.migration.models import Move

_LAST = 10  # moves of a pair that count
_OWN = 4  # of one guest between two hosts; from two on they say more than the others
_SINCE = timedelta(days=30)
_MOST = 3000  # moves that are read at all
_TELLING_BYTES = 4 << 20  # less says nothing about a link's speed
Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Way:
    """One move, as far as its way is concerned."""

    total_s: float
    downtime_ms: int | None
    sent_bytes: int
    bytes_s: float | None

    @property
    def setup_s(self) -> float | None:
        """What it took besides sending; None where the speed is not known."""
        if self.bytes_s is None:
            return None
        return max(self.total_s - self.sent_bytes / self.bytes_s, 0.0)


class Links:
    """The ways between hosts. One query."""

    def __init__(self, hosts: Collection[int]) -> None:
        rows = Move.objects.filter(
            outcome=Move.Outcome.SUCCEEDED,
            mode=Move.Mode.LIVE,
            total_ms__gt=0,
            source__in=hosts,
            started_at__gt=timezone.now() - _SINCE,
        )
        columns = ("guest", "source", "target", "total_ms", "downtime_ms")
        sizes = ("transferred_bytes", "memory_rate_bytes_s")
        found: defaultdict[Pair, list[_Way]] = defaultdict(list)
        own: defaultdict[tuple[UUID, Pair], list[_Way]] = defaultdict(list)
        for guest, source, target, total, downtime, sent, rate in rows.values_list(
            *columns, *sizes
        )[:_MOST]:
            way = _Way(total / 1000, downtime, sent or 0, _speed(sent, rate))
            pair = (source or 0, target or 0)
            if len(found[pair]) < _LAST:
                found[pair].append(way)
            if len(own[guest, _either(pair)]) < _OWN:
                own[guest, _either(pair)].append(way)
        self._own = {key: link_of(ways) for key, ways in own.items() if len(ways) > 1}
        self._known = {pair: link_of(ways) for pair, ways in found.items()}
        every = [way for ways in found.values() for way in ways[:3]]
        elsewhere = link_of(every)
        self._unknown = Link(
            setup_s=elsewhere.setup_s, standstill_ms=elsewhere.standstill_ms
        )

    def between(self, source: int, target: int, guest: UUID | None = None) -> Link:
        """This way, as this guest went it; as others did; else what is assumed.

        The way back counts where this one is not known.
        """
        own = self._own.get((guest, _either((source, target)))) if guest else None
        if own and own.measured:
            return own
        known = self._known.get((source, target)) or self._known.get((target, source))
        return known if known and known.measured else self._unknown


def of_pairs(pairs: Iterable[Pair]) -> dict[Pair, Link]:
    """The ways between these hosts. One query."""
    wanted = list(pairs)
    links = Links({host for pair in wanted for host in pair})
    return {pair: links.between(*pair) for pair in wanted}


def link_of(ways: Sequence[_Way]) -> Link:
    """What these moves say of their way together: medians, so one odd one is none."""
    speeds = [way.bytes_s for way in ways if way.bytes_s]
    setups = [way.setup_s for way in ways if way.setup_s is not None]
    stood = sorted(way.downtime_ms for way in ways if way.downtime_ms is not None)
    return Link(
        bytes_s=median(speeds) if speeds else UNKNOWN_BYTES_S,
        measured=bool(speeds),
        setup_s=median(setups) if setups else SETUP_S,
        standstill_ms=stood[len(stood) // 4] if stood else STANDSTILL_MS,
    )


def _either(pair: Pair) -> Pair:
    """The same two, whichever way."""
    return min(pair), max(pair)


def _speed(sent: int | None, rate: int | None) -> float | None:
    return float(rate) if rate and (sent or 0) >= _TELLING_BYTES else None
