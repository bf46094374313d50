"""Pages of what moves cost: by pair of hosts over time, and a report to hand on."""

import datetime as dt

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from guests.proof import queries
from guests.proof.forms import FilterForm, asked_report
from guests.proof.shapes import report_csv
from hosts.access import visible
from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.requests import UserRequest

_PAGE = 50


@require_safe
@door(Right.SEE_HOSTS)
def listing(request: UserRequest) -> HttpResponse:
    """Every pair of hosts, what its moves cost, and the moves themselves."""
    filters = FilterForm(request.GET).filters()
    rows = queries.moves(filters)
    page = Paginator(rows, _PAGE).get_page(request.GET.get("page"))
    names = dict(visible(request.user).values_list("pk", "name"))
    context = {
        "page": page,
        "moves": page.object_list,
        "filters": filters,
        "pairs": queries.pairs(),
        "source_name": names.get(filters.source or 0, ""),
        "target_name": names.get(filters.target or 0, ""),
    }
    return render(request, "guests/proof/moves.html", context)


@require_safe
@door(Right.SEE_HOSTS)
def report(request: UserRequest) -> HttpResponse:
    """The moves of a day or a drain, to be printed."""
    day, drain = asked_report(request.GET)
    context = {
        "report": queries.report(day=day, drain=drain),
        "before": _beside(day, -1),
        "after": _beside(day, 1),
    }
    return render(request, "guests/proof/report.html", context)


@require_safe
@door(Right.SEE_HOSTS)
def table(request: UserRequest) -> HttpResponse:
    """The same as CSV."""
    day, drain = asked_report(request.GET)
    name = f"drain-{drain.pk}" if drain else f"{day}"
    found = report_csv(queries.report(day=day, drain=drain))
    answer = HttpResponse(found, content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="moves-{name}.csv"'
    return answer


def _beside(day: dt.date | None, days: int) -> dt.date | None:
    """The day before or after; None where nothing can have moved yet."""
    if day is None:
        return None
    try:
        found = day + dt.timedelta(days=days)
    except OverflowError:
        return None
    return found if found <= timezone.now().date() else None
