"""From spans to hours and money. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
GIB = 1024**3


@dataclass(frozen=True, slots=True)
class Month:
    """A month, in UTC."""

    year: int
    month: int

    @classmethod
    def of(cls, at: datetime) -> "Month":
        """The one that this moment is in."""
        there = at.astimezone(UTC)
        return cls(there.year, there.month)

    @property
    def begin(self) -> datetime:
        """Its first moment."""
        return datetime(self.year, self.month, 1, tzinfo=UTC)

    @property
    def end(self) -> datetime:
        """The first moment after it."""
        return self.next.begin

    @property
    def next(self) -> "Month":
        """The one after it."""
        return self._moved(1)

    @property
    def before(self) -> "Month":
        """The one before it."""
        return self._moved(-1)

    @property
    def first_day(self) -> date:
        """For people to read."""
        return self.begin.date()

    def _moved(self, by: int) -> "Month":
        year, month = divmod(self.year * 12 + self.month - 1 + by, 12)
        return Month(year, month + 1)

    def __str__(self) -> str:
        return f"{self.year:04}-{self.month:02}"


@dataclass(frozen=True, slots=True)
class Span:
    """One thing of one size, from one moment to another."""

    vcpus: int
    memory_bytes: int
    disk_bytes: int
    price_per_hour: Decimal | None
    began_at: datetime
    ended_at: datetime


@dataclass(slots=True)
class Sum:
    """Hours, and hours of what; `price` is None where nobody said what it costs."""

    hours: float = 0.0
    vcpu_hours: float = 0.0
    memory_gib_hours: float = 0.0
    disk_gib_hours: float = 0.0
    price: Decimal | None = None
    unpriced: bool = False  # some of it costs nobody knows what

    def add(self, span: Span, begin: datetime, end: datetime) -> None:
        """As much of the span as lies between the two."""
        lasted = min(span.ended_at, end) - max(span.began_at, begin)
        if lasted <= timedelta():
            return
        hours = lasted / HOUR
        self.hours += hours
        self.vcpu_hours += hours * span.vcpus
        self.memory_gib_hours += hours * span.memory_bytes / GIB
        self.disk_gib_hours += hours * span.disk_bytes / GIB
        if span.price_per_hour is None:
            self.unpriced = True
            return
        cost = span.price_per_hour * Decimal(lasted // timedelta(seconds=1)) / 3600
        self.price = (self.price or Decimal()) + cost

    def take(self, other: "Sum") -> None:
        """The other one, too."""
        self.hours += other.hours
        self.vcpu_hours += other.vcpu_hours
        self.memory_gib_hours += other.memory_gib_hours
        self.disk_gib_hours += other.disk_gib_hours
        self.unpriced = self.unpriced or other.unpriced
        if other.price is not None:
            self.price = (self.price or Decimal()) + other.price


@dataclass(slots=True)
class Line:
    """What one guest, or one project, had."""

    key: str
    name: str
    about: str = ""  # a guest's size or flavor, as it was last
    guests: set[str] = field(default_factory=set)
    sum: Sum = field(default_factory=Sum)


@dataclass(slots=True)
class Use:
    """What was had in a month, line by line and whole."""

    month: Month
    until: datetime  # now, while the month lasts
    currency: str = ""
    lines: list[Line] = field(default_factory=list)

    @property
    def total(self) -> Sum:
        """All lines together."""
        whole = Sum()
        for line in self.lines:
            whole.take(line.sum)
        return whole


Days = list[tuple[datetime, Sum]]  # each day's first moment, and what was had on it


def days(spans: Iterable[Span], month: Month, until: datetime) -> Days:
    """The same day by day, as far as the month has come."""
    begins = list(_begins(month, until))
    sums = [Sum() for _ in begins]
    for span in spans:
        first = max(0, (span.began_at - month.begin) // DAY)
        for place in range(first, len(begins)):
            if begins[place] >= span.ended_at:
                break
            sums[place].add(span, begins[place], min(begins[place] + DAY, until))
    return list(zip(begins, sums, strict=True))


def _begins(month: Month, until: datetime) -> Iterator[datetime]:
    at = month.begin
    while at < min(month.end, until):
        yield at
        at += DAY
