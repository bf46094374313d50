"""How fast the way between two hosts is: remembered from the moves that went it."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import median

from django.utils import timezone

from guests.migration.cost import SETUP_S, STANDSTILL_MS, UNKNOWN_BYTES_S, Link
from guests.migration.models import Move

_LAST = 10  # moves of a pair that count
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
        columns = ("source", "target", "total_ms", "downtime_ms", "transferred_bytes")
        found: defaultdict[Pair, list[_Way]] = defaultdict(list)
        for source, target, total, downtime, sent, rate in rows.values_list(
            *columns, "memory_rate_bytes_s"
        )[:_MOST]:
            ways = found[source or 0, target or 0]
            if len(ways) < _LAST:
                ways.append(_Way(total / 1000, downtime, sent or 0, _speed(sent, rate)))
        self._known = {pair: link_of(ways) for pair, ways in found.items()}
        every = [way for ways in found.values() for way in ways[:3]]
        elsewhere = link_of(every)
        self._unknown = Link(
            setup_s=elsewhere.setup_s, standstill_ms=elsewhere.standstill_ms
        )

    def between(self, source: int, target: int) -> Link:
        """This way; the way back where only that is known, else what is assumed."""
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


def _speed(sent: int | None, rate: int | None) -> float | None:
    return float(rate) if rate and (sent or 0) >= _TELLING_BYTES else None
