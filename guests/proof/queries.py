"""What moves cost: foretold and measured, by guest, by pair of hosts, by day or drain."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from guests.migration.models import Move
from guests.models import Guest
from kvmweb.operations.models import Operation

_OF_A_GUEST = 20
_PAIRS_DAYS = 90
_MOST = 5000  # moves that tables of pairs and charts are made of
_NEAR = 0.3  # so far a prediction may be off and still count as near


@dataclass(frozen=True, slots=True)
class Pair:
    """The moves from one host to another, summed up. Medians; None: nothing known."""

    source: int | None
    source_name: str
    target: int | None
    target_name: str
    moves: int
    failed: int
    seconds: float | None
    downtime_ms: float | None
    rate_bytes_s: float | None
    near: int  # foretold within 30 % of what they took
    foretold: int
    last_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Filters:
    """Which moves; None for any."""

    guest: UUID | None = None
    source: int | None = None
    target: int | None = None
    day: dt.date | None = None  # UTC
    drain: UUID | None = None
    outcome: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """Moves of a day or a drain, and what they come to."""

    day: dt.date | None
    drain: Operation | None
    moves: list[Move] = field(default_factory=list)

    @property
    def succeeded(self) -> list[Move]:
        """Those that came true."""
        return [it for it in self.moves if it.outcome == Move.Outcome.SUCCEEDED]

    @property
    def failed(self) -> list[Move]:
        """Those that did not, were stopped, or are not known to have."""
        bad = {Move.Outcome.FAILED, Move.Outcome.CANCELLED, Move.Outcome.UNKNOWN}
        return [it for it in self.moves if it.outcome in bad]

    @property
    def under_way(self) -> int:
        """How many have not ended."""
        return sum(not it.outcome for it in self.moves)

    @property
    def transferred_bytes(self) -> int:
        """All that passed between hosts."""
        return sum(it.transferred_bytes or 0 for it in self.moves)

    @property
    def longest_downtime_ms(self) -> int | None:
        """The longest that any guest stood still: as seen, else as told."""
        known = [it for it in map(_downtime_ms, self.succeeded) if it is not None]
        return max(known, default=None)

    @property
    def total_downtime_ms(self) -> int:
        """Of all guests together."""
        return sum(_downtime_ms(it) or 0 for it in self.succeeded)

    @property
    def near(self) -> int:
        """How many took about as long as was foretold."""
        return sum(is_near(it) is True for it in self.succeeded)

    @property
    def foretold(self) -> int:
        """How many were foretold and measured."""
        return sum(is_near(it) is not None for it in self.succeeded)

    @property
    def began_at(self) -> dt.datetime | None:
        """When the first began."""
        return min((it.started_at for it in self.moves), default=None)

    @property
    def ended_at(self) -> dt.datetime | None:
        """When the last ended."""
        ends = [it.finished_at for it in self.moves if it.finished_at]
        return max(ends, default=None)


def moves(filters: Filters) -> QuerySet[Move]:
    """The moves of guests, newest first; canaries are none."""
    rows = Move.objects.filter(canary=False)
    named = {
        "guest": filters.guest,
        "source": filters.source,
        "target": filters.target,
        "drain": filters.drain,
        "outcome": filters.outcome or None,
    }
    rows = rows.filter(**{key: it for key, it in named.items() if it is not None})
    if filters.day:
        begin = dt.datetime.combine(filters.day, dt.time(), dt.UTC)
        end = begin + dt.timedelta(days=1)
        rows = rows.filter(started_at__gte=begin, started_at__lt=end)
    return rows


def of_guest(guest: Guest) -> list[Move]:
    """Its last 20. One query."""
    return list(moves(Filters(guest=guest.pk))[:_OF_A_GUEST])


def pairs() -> list[Pair]:
    """Every pair of hosts that guests moved between lately. One query."""
    since = timezone.now() - dt.timedelta(days=_PAIRS_DAYS)
    rows = moves(Filters()).filter(started_at__gte=since).exclude(outcome="")
    found: defaultdict[tuple[str, str], list[Move]] = defaultdict(list)
    for row in rows[:_MOST]:
        found[row.source_name, row.target_name].append(row)
    return [_pair(found[names]) for names in sorted(found)]


def report(*, day: dt.date | None = None, drain: Operation | None = None) -> Report:
    """The moves of one day (UTC), or of one drain. One query."""
    filters = Filters(day=day, drain=drain.pk if drain else None)
    return Report(day, drain, list(moves(filters).order_by("started_at", "pk")))


def series(source: int, target: int, since: dt.datetime) -> list[Move]:
    """The moves of a pair that came true, oldest first, for charts. One query."""
    rows = moves(Filters(source=source, target=target, outcome="succeeded"))
    return list(rows.filter(finished_at__gte=since).order_by("finished_at")[:_MOST])


def is_near(move: Move) -> bool | None:
    """Whether it took about as long as was foretold; None where that is not known."""
    foretold = move.predicted.get("seconds")
    if not foretold or not move.total_ms:
        return None
    return abs(float(foretold) - move.total_ms / 1000) <= _NEAR * move.total_ms / 1000


def _downtime_ms(move: Move) -> int | None:
    """The longer of what the target says and what a client saw: never flattering."""
    known = [it for it in (move.downtime_ms, move.seen_downtime_ms) if it is not None]
    return max(known, default=None)


def _pair(rows: list[Move]) -> Pair:
    good = [row for row in rows if row.outcome == Move.Outcome.SUCCEEDED]
    near = [found for found in map(is_near, good) if found is not None]
    newest = rows[0]
    return Pair(
        newest.source_id,
        newest.source_name,
        newest.target_id,
        newest.target_name,
        moves=len(rows),
        failed=sum(row.outcome == Move.Outcome.FAILED for row in rows),
        seconds=_median(row.total_ms / 1000 for row in good if row.total_ms),
        downtime_ms=_median(
            found for found in map(_downtime_ms, good) if found is not None
        ),
        rate_bytes_s=_median(
            row.memory_rate_bytes_s for row in good if row.memory_rate_bytes_s
        ),
        near=sum(near),
        foretold=len(near),
        last_at=newest.started_at,
    )


def _median(numbers: Iterable[float]) -> float | None:
    found = list(numbers)
    return median(found) if found else None
