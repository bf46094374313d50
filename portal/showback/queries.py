"""What was had in a month: of one project by guest, of all by project."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db.models import F, Q, QuerySet
from django.utils import timezone

from guests.models import Guest
from kvmweb.accounts.models import Project
from kvmweb.sizes import amount
from portal.showback import reckoning
from portal.showback.models import Tariff, UseSpan
from portal.showback.reckoning import Line, Month, Span, Use

_GONE = "projects that are gone"


def tariff() -> Tariff:
    """What holds now; without any price when nobody said one. One query."""
    return Tariff.objects.first() or Tariff()


def of_project(project: Project, month: Month) -> Use:
    """Its guests, by name, as they are called now or were last. Three queries."""
    until = _until(month)
    names = dict(Guest.objects.filter(project=project).values_list("pk", "name"))
    lines: dict[UUID, Line] = {}
    for row in _spans(month).filter(project=project):
        line = lines.setdefault(row.guest, Line(str(row.guest), row.name))
        line.name = names.get(row.guest, row.name)
        line.about = row.flavor or _size(row)
        line.sum.add(_span(row, until), month.begin, until)
    return _use(month, until, lines.values())


def of_all(month: Month) -> Use:
    """Every project that had something, by name. Two queries."""
    until = _until(month)
    lines: dict[int | None, Line] = {}
    for row in _spans(month).annotate(project_name=F("project__name")):
        name = row.project_name or _GONE
        line = lines.setdefault(row.project_id, Line(str(row.project_id or ""), name))
        line.guests.add(str(row.guest))
        line.sum.add(_span(row, until), month.begin, until)
    return _use(month, until, lines.values())


def days(month: Month, project: Project | None = None) -> reckoning.Days:
    """Day by day, of one project or of all. One query."""
    rows = _spans(month)
    if project is not None:
        rows = rows.filter(project=project)
    until = _until(month)
    return reckoning.days((_span(row, until) for row in rows), month, until)


def _spans(month: Month) -> QuerySet[UseSpan]:
    """Those that lie in the month, in part at least; oldest first."""
    lasting = Q(ended_at=None) | Q(ended_at__gt=month.begin)
    return UseSpan.objects.filter(lasting, began_at__lt=month.end)


def _span(row: UseSpan, until: datetime) -> Span:
    return Span(
        row.vcpus,
        row.memory_bytes,
        row.disk_bytes,
        row.price_per_hour,
        row.began_at,
        row.ended_at or until,
    )


def _until(month: Month) -> datetime:
    return max(month.begin, min(month.end, timezone.now()))


def _use(month: Month, until: datetime, lines: Iterable[Line]) -> Use:
    found = sorted(lines, key=lambda line: (line.name, line.key))
    return Use(month, until, tariff().currency, found)


def _size(row: UseSpan) -> str:
    cpus = "1 vCPU" if row.vcpus == 1 else f"{row.vcpus} vCPUs"
    disk = f", {amount(row.disk_bytes)} disk" if row.disk_bytes else ""
    return f"{cpus}, {amount(row.memory_bytes)}{disk}"
