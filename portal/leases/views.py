"""Pages of leases: what ends when, how much it was used, and the rules."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.requests import UserRequest
from kvmweb.errors import AppError, Conflict
from portal.leases import access, queries, services
from portal.leases.forms import BulkForm, LeaseForm, RuleForm
from portal.leases.queries import Filters

_STATES = (
    ("soon", "Ends within a week"),
    ("running", "In force"),
    ("stopped", "Being stopped"),
    ("kept", "Kept"),
    ("ended", "Deleted"),
)
form_page = require_http_methods(["GET", "HEAD", "POST"])


@require_safe
@door(Right.SEE)
def listing(request: UserRequest) -> HttpResponse:
    """The leases of the guests one sees, those that end first at the top."""
    filters = Filters.of(request.GET.dict())
    rows = queries.listing(request.user, filters)
    page = Paginator(rows, queries.PAGE).get_page(request.GET.get("page"))
    lent = queries.lent(page.object_list)
    context = {
        "page": page,
        "lent": lent,
        "deciding": {
            it.lease.pk
            for it in lent
            if access.decides(request.user, it.lease.project_id)
        },
        "filters": filters,
        "states": _STATES,
        "projects": queries.names_of_projects(request.user),
        "held": queries.held(),
    }
    return render(request, "portal/leases/list.html", context)


@require_POST
@door(Right.OPERATE)
def extend(request: UserRequest) -> HttpResponse:
    """Extend all that were chosen."""
    form = BulkForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Choose some leases and say how many days.")
        return _back(request)
    chosen = [access.lease(request.user, each) for each in form.cleaned_data["lease"]]
    by, address = request.user, request.client_address
    days = form.cleaned_data["days"]
    refused = services.extend_all(chosen, days, by=by, address=address)
    if done := len(chosen) - len(refused):
        messages.success(request, f"{done} extended by {days} days.")
    for sentence in refused[:5]:
        messages.error(request, sentence)
    return _back(request)


@form_page
@door(Right.OPERATE)
def edit(request: UserRequest, lease_id: int) -> HttpResponse:
    """The end of one lease."""
    lease = access.lease(request.user, lease_id)
    form = LeaseForm(lease, request.POST or None)
    if form.is_valid():
        by, address = request.user, request.client_address
        try:
            services.change(lease, form.terms(), by=by, address=address)
        except AppError as error:
            form.tell(error)
        else:
            messages.success(request, "Saved.")
            return redirect("leases")
    context = {"lease": lease, "form": form}
    status = 422 if form.errors else 200
    return render(request, "portal/leases/edit.html", context, status=status)


@require_POST
@door(Right.MANAGE_PROJECTS)
def go_on(request: UserRequest) -> HttpResponse:
    """These leases are true."""
    try:
        services.go_on(by=request.user, address=request.client_address)
        messages.success(request, "Leases are looked after again.")
    except Conflict as error:
        messages.error(request, str(error))
    return redirect("leases")


@require_safe
@door(Right.MANAGE_PROJECTS)
def rules(request: UserRequest) -> HttpResponse:
    """What members of each project may do without asking."""
    context = {"projects": queries.projects()}
    return render(request, "portal/leases/rules.html", context)


@form_page
@door(Right.MANAGE_PROJECTS)
def rule(request: UserRequest, project_id: int) -> HttpResponse:
    """The same of one project."""
    project = access.project(request.user, project_id)
    form = RuleForm(queries.policy(project.pk), request.POST or None)
    if form.is_valid():
        by, address = request.user, request.client_address
        try:
            services.set_policy(project, form.rule(), by=by, address=address)
        except AppError as error:
            form.tell(error)
        else:
            messages.success(request, "Saved.")
            return redirect("lease-rules")
    context = {"project": project, "form": form}
    status = 422 if form.errors else 200
    return render(request, "portal/leases/rule.html", context, status=status)


def _back(request: UserRequest) -> HttpResponse:
    """The list, filtered as it was."""
    query = request.META.get("QUERY_STRING", "")[:500]
    return redirect(f"{reverse('leases')}{'?' if query else ''}{query}")
