"""What a canary has proved, for the page and the API. Fixed queries."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import F, Max, Q, Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from guests.canary import rows as known
from guests.canary.models import CanaryResult, CanarySchedule
from hosts.models import Host
from kvmweb.operations.models import Operation

_STALE = timedelta(days=7)  # after that it proves little


@dataclass(frozen=True, slots=True)
class Cell:
    """One way: the last flight, and when one was good last."""

    source: Host
    target: Host
    last: CanaryResult | None
    good_at: datetime | None

    @property
    def same(self) -> bool:
        """Whether it is no way at all."""
        return self.source.pk == self.target.pk

    @property
    def word(self) -> str:
        """Its mark: good | broken | old | unknown."""
        if self.last is None:
            return "unknown"
        if not self.last.ok:
            return "broken"
        return "old" if timezone.now() - self.last.at > _STALE else "good"


@dataclass(frozen=True, slots=True)
class Row:
    """All ways from one host."""

    source: Host
    cells: list[Cell]


@dataclass(frozen=True, slots=True)
class Board:
    """The whole matrix, and what goes on."""

    hosts: list[Host]
    rows: list[Row]
    schedule: CanarySchedule
    active: Operation | None
    last: Operation | None

    @property
    def cells(self) -> list[Cell]:
        """Every way."""
        return [cell for row in self.rows for cell in row.cells if not cell.same]

    @property
    def broken(self) -> list[Cell]:
        """The ways whose last flight failed."""
        return [cell for cell in self.cells if cell.word == "broken"]

    @property
    def proved(self) -> int:
        """How many ways are good."""
        return sum(cell.word in {"good", "old"} for cell in self.cells)


def board() -> Board:
    """What is known of each way between hosts. Six queries, however many there are."""
    hosts = list(Host.objects.order_by("name"))
    ranked = CanaryResult.objects.annotate(
        place=Window(
            RowNumber(),
            partition_by=[F("source"), F("target")],
            order_by=[F("at").desc(), F("pk").desc()],
        )
    )
    last = {(row.source_id, row.target_id): row for row in ranked.filter(place=1)}
    good = CanaryResult.objects.order_by().values_list("source", "target")
    good_at = {
        (source, target): at
        for source, target, at in good.annotate(at_=Max("at", filter=Q(ok=True)))
    }
    rows = [
        Row(
            source,
            [
                Cell(
                    source,
                    target,
                    last.get((source.pk, target.pk)),
                    good_at.get((source.pk, target.pk)),
                )
                for target in hosts
            ],
        )
        for source in hosts
    ]
    runs = Operation.objects.filter(kind=known.RUN).order_by("-created_at")
    return Board(
        hosts,
        rows,
        CanarySchedule.objects.filter(pk=1).first() or CanarySchedule(pk=1),
        known.active(),
        runs.exclude(state__in=Operation.ACTIVE).first(),
    )
