"""The API of what moves cost."""

import datetime as dt
from typing import Annotated, Any, Literal
from uuid import UUID

from django.utils import timezone
from ninja import Query, Router
from pydantic import Field

from guests.proof import queries
from guests.proof.forms import report_of
from guests.proof.queries import Filters
from guests.proof.shapes import (
    MoveOut,
    MoveSeriesOut,
    ReportOut,
    move_json,
    report_json,
    series_json,
)
from kvmweb import doors
from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.requests import UserRequest

router = Router(tags=["moves"])
_ORDERINGS = {
    "started_at": "started_at",
    "total_ms": "total_ms",
    "downtime_ms": "downtime_ms",
}
_RANGES = {"1h": 1, "1d": 24, "7d": 7 * 24, "30d": 30 * 24, "1y": 366 * 24}  # hours

HostId = Annotated[int, Field(ge=0, le=doors.MAX_INT)]


class MovesQuery(doors.PageQuery):
    """Which moves."""

    guest: UUID | None = None
    source: HostId | None = None
    target: HostId | None = None
    drain: UUID | None = None
    outcome: Literal["", "succeeded", "failed", "cancelled", "unknown"] = ""


@router.get("", response=doors.Page[MoveOut], url_name="moves")
@door(Right.SEE_HOSTS)
def moves(request: UserRequest, query: Query[MovesQuery]) -> dict[str, Any]:
    """Every move that was begun, newest first: foretold and measured."""
    rows = queries.moves(
        Filters(
            guest=query.guest,
            source=query.source,
            target=query.target,
            drain=query.drain,
            outcome=query.outcome,
        )
    )
    found = ("guest_name", "source_name", "target_name")
    page = doors.paged(rows, query, ordering=_ORDERINGS, search=found)
    return page | {"items": [move_json(row) for row in page["items"]]}


@router.get("report/", response=ReportOut, url_name="moves-report")
@door(Right.SEE_HOSTS)
def report(request: UserRequest, day: str = "", drain: str = "") -> dict[str, Any]:
    """The moves of a day (UTC; today without one) or of a drain, and their sums."""
    on, operation = report_of(day, drain)
    return report_json(queries.report(day=on, drain=operation))


@router.get(
    "from/{int:source_id}/to/{int:target_id}/",
    response=MoveSeriesOut,
    url_name="moves-series",
)
@door(Right.SEE_HOSTS)
def series(
    request: UserRequest,
    source_id: HostId,
    target_id: HostId,
    range: Literal["1h", "1d", "7d", "30d", "1y"] = "30d",
) -> dict[str, Any]:
    """The moves from one host to another over time, for charts."""
    since = timezone.now() - dt.timedelta(hours=_RANGES[range])
    return series_json(queries.series(source_id, target_id, since))
