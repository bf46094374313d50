"""Pages of use: of one project by guest, of all by project, and what hours cost."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from kvmweb.accounts.forms import refuse
from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.requests import UserRequest
from kvmweb.accounts.services import Asker
from kvmweb.errors import Invalid
from portal.projects import access
from portal.showback import queries, services
from portal.showback.forms import PricesForm, month_of
from portal.showback.reckoning import Use
from portal.showback.shapes import use_csv


@require_safe
@door(Right.SEE)
def of_project(request: UserRequest, project_id: int) -> HttpResponse:
    """What its guests had in a month."""
    project = access.project(request.user, project_id, Right.SEE)
    use = queries.of_project(project, month_of(request.GET.get("month", "")))
    context = {"project": project, "use": use, "total": use.total}
    return render(request, "portal/showback/project.html", context)


@require_safe
@door(Right.SEE)
def table_of_project(request: UserRequest, project_id: int) -> HttpResponse:
    """The same as CSV."""
    project = access.project(request.user, project_id, Right.SEE)
    use = queries.of_project(project, month_of(request.GET.get("month", "")))
    return _table(use, project.name)


@require_safe
@door(Right.MANAGE_PROJECTS)
def of_all(request: UserRequest) -> HttpResponse:
    """What every project had in a month, and what hours cost."""
    return _whole_page(request, PricesForm.of(queries.tariff()))


@require_safe
@door(Right.MANAGE_PROJECTS)
def table_of_all(request: UserRequest) -> HttpResponse:
    """The same as CSV."""
    use = queries.of_all(month_of(request.GET.get("month", "")))
    return _table(use, "projects")


@require_POST
@door(Right.MANAGE_PROJECTS)
def set_prices(request: UserRequest) -> HttpResponse:
    """What hours cost from now on."""
    form = PricesForm(request.POST)
    if form.is_valid():
        asker = Asker(request.user, request.client_address)
        try:
            services.set_prices(form.prices(), by=asker)
        except Invalid as error:
            refuse(form, error)
        else:
            messages.success(request, "From now on hours cost this.")
            return redirect("use")
    return _whole_page(request, form, status=422)


def _whole_page(request: UserRequest, form: PricesForm, **options: Any) -> HttpResponse:
    use = queries.of_all(month_of(request.GET.get("month", "")))
    context = {"use": use, "total": use.total, "form": form}
    return render(request, "portal/showback/all.html", context, **options)


def _table(use: Use, name: str) -> HttpResponse:
    answer = HttpResponse(use_csv(use), content_type="text/csv; charset=utf-8")
    file = f"use-{name}-{use.month}.csv"
    answer["Content-Disposition"] = f'attachment; filename="{file}"'
    return answer
