"""Pages of requests: the inbox, asking, one request with its decision."""

from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from kvmweb.accounts.gate import Right, door, sees_all
from kvmweb.accounts.models import Project
from kvmweb.accounts.requests import UserRequest
from kvmweb.accounts.services import Asker
from kvmweb.errors import AppError
from portal.requests import access, deciding, looking, queries, services
from portal.requests.forms import (
    DecisionForm,
    RequestForm,
    beginning,
    cloud_before,
    ids_of,
)
from portal.requests.models import Request
from portal.requests.offers import offers
from portal.requests.states import State

PAGE = 50
PREVIEW = "preview"  # the button that only looks
form_page = require_http_methods(["GET", "HEAD", "POST"])


@require_safe
@door(Right.REQUEST)
def listing(request: UserRequest) -> HttpResponse:
    """One's own requests, and those one decides about; pending ones first."""
    filters = _filters(request)
    rows = queries.listing(request.user, filters)
    page = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    shown = list(page.object_list)
    decides = queries.decides(request.user)
    waiting = [it for it in shown if it.pending]
    hosts = looking.fitting(waiting) if decides and waiting else {}
    context = {
        "page": page,
        "lines": queries.lines(shown, request.user, hosts),
        "filters": filters,
        "states": [state.value for state in State],
        "decides": decides,
        "hosts_shown": sees_all(request.user),
        "can_ask": access.projects(request.user).exists(),
    }
    return render(request, "portal/requests/list.html", context)


@form_page
@door(Right.REQUEST)
def new(request: UserRequest) -> HttpResponse:
    """Ask for a machine, or see first what would come of it."""
    projects = list(access.projects(request.user))
    word = request.POST.get("project") or request.GET.get("project") or ""
    if not word and projects:
        word = str(projects[0].pk)
    if not word:
        return render(request, "portal/requests/no_project.html", {})
    project = access.project(request.user, word)
    offered = offers(project, request.user)
    if request.method != "POST":
        start = beginning(offered, request.GET.dict())
        return _form(request, RequestForm(offered, initial=start), projects=projects)
    form = RequestForm(offered, request.POST)
    seen: services.Check | None = None
    if form.is_valid():
        try:
            if PREVIEW not in request.POST:
                row = services.ask(form.wish(), project, by=_asker(request))
                return redirect(row)
            seen = services.check(form.wish(), project, request.user)
        except AppError as error:
            form.tell(error)
    return _form(request, form, seen, projects=projects)


@form_page
@door(Right.REQUEST)
def edit(request: UserRequest, request_id: int) -> HttpResponse:
    """Ask for something else instead, while nobody has decided."""
    row = access.to_change(request.user, request_id)
    offered = offers(row.project, request.user)
    start = beginning(offered, {}, row)
    form = RequestForm(offered, request.POST or None, initial=start)
    seen: services.Check | None = None
    if form.is_valid():
        try:
            wish = form.wish(cloud_before(row))
            if wish.flavor == row.flavor_id:
                wish = replace(wish, flavor=None)  # as large as it was asked for
            if PREVIEW not in request.POST:
                return redirect(services.change(row, wish, by=_asker(request)))
            seen = services.check(wish, row.project, request.user, instead=row)
        except AppError as error:
            form.tell(error)
    return _form(request, form, seen, row=row)


@require_safe
@door(Right.REQUEST)
def detail(request: UserRequest, request_id: int) -> HttpResponse:
    """One request: what is asked for, where it stands, and what helps to decide."""
    row = access.request(request.user, request_id)
    return _page(request, row)


@require_POST
@door(Right.REQUEST)
def approve(request: UserRequest, request_id: int) -> HttpResponse:
    """Say yes, perhaps to less."""
    row = access.to_decide(request.user, request_id)
    form = DecisionForm(row, request.POST)
    if form.is_valid():
        note = form.cleaned_data["note"]
        try:
            deciding.approve(row, by=_asker(request), note=note, smaller=form.smaller())
        except AppError as error:
            form.tell(error)
        else:
            messages.success(request, f"{row.name} is approved.")
            return redirect(row)
    return _page(request, row, form, status=422)


@require_POST
@door(Right.REQUEST)
def reject(request: UserRequest, request_id: int) -> HttpResponse:
    """Say no."""
    row = access.to_decide(request.user, request_id)
    note = request.POST.get("note", "").replace("\0", "")
    try:
        deciding.reject(row, by=_asker(request), note=note)
    except AppError as error:
        messages.error(request, str(error))
    return redirect(row)


@require_POST
@door(Right.REQUEST)
def cancel(request: UserRequest, request_id: int) -> HttpResponse:
    """Take it back."""
    row = access.to_change(request.user, request_id)
    try:
        services.cancel(row, by=_asker(request))
    except AppError as error:
        messages.error(request, str(error))
    return redirect(row)


@require_POST
@door(Right.REQUEST)
def retry(request: UserRequest, request_id: int) -> HttpResponse:
    """Try once more what failed."""
    row = access.to_retry(request.user, request_id)
    try:
        deciding.retry(row, by=_asker(request))
    except AppError as error:
        messages.error(request, str(error))
    return redirect(row)


@require_POST
@door(Right.REQUEST)
def decide(request: UserRequest) -> HttpResponse:
    """Decide about all that are ticked, each for itself."""
    said = request.POST.get("decision", "")
    decision = said if said in deciding.VERBS else "reject" if said else ""
    ids = ids_of(request.POST.getlist("request"))
    rows = [access.to_decide(request.user, pk) for pk in ids]
    if not rows or not decision:
        messages.error(request, "Tick the requests you decide about.")
        return redirect("requests")
    note = request.POST.get("note", "").replace("\0", "")
    outcomes = deciding.decide(rows, decision, by=_asker(request), note=note)
    wrong = [outcome for outcome in outcomes if outcome.error]
    done = len(outcomes) - len(wrong)
    if done:
        messages.success(request, f"{done} decided.")
    names = {row.pk: row.name for row in rows}
    for outcome in wrong[:5]:
        messages.error(request, f"{names[outcome.id]}: {outcome.error}")
    return redirect("requests")


def _form(
    request: UserRequest,
    form: RequestForm,
    seen: services.Check | None = None,
    **about: Any,
) -> HttpResponse:
    project: Project = form.offered.project
    looked = PREVIEW in request.POST  # who only looks has done nothing wrong
    context = {
        "form": form,
        "check": seen,
        "looked": looked,
        "project": project,
        "meters": queries.meters(project.pk),
        "row": None,
        "projects": [],
    }
    status = 422 if form.errors and not looked else 200
    return render(request, "portal/requests/form.html", context | about, status=status)


def _page(
    request: UserRequest,
    row: Request,
    form: DecisionForm | None = None,
    status: int = 200,
) -> HttpResponse:
    decides = access.may_decide(request.user, row)
    own = access.is_own(request.user, row)
    deciding_now = decides and row.pending
    context = {
        "row": row,
        "events": queries.events(row),
        "own": own,
        "decides": decides,
        "own_allowed": own and deciding_now and deciding.own_allowed(row),
        "form": (form or DecisionForm(row)) if deciding_now else None,
        "meters": queries.meters(row.project_id) if decides else [],
        "outlook": looking.look(row) if deciding_now else None,
        "earlier": queries.earlier(row)[:5] if decides else [],
        "hosts_shown": sees_all(request.user),
        "cause": queries.cause(row) if sees_all(request.user) else "",
    }
    return render(request, "portal/requests/detail.html", context, status=status)


def _filters(request: UserRequest) -> queries.Filters:
    told = {
        name: request.GET.get(name, "").replace("\0", "")[:200] for name in _FILTERS
    }
    project = told["project"]
    return queries.Filters(
        state=told["state"] if told["state"] in set(State) else "",
        project=int(project) if project.isdecimal() and len(project) < 18 else None,
        mine=told["mine"] == "1",
        search=told["search"],
    )


_FILTERS = ("state", "project", "mine", "search")


def _asker(request: UserRequest) -> Asker:
    return Asker(request.user, request.client_address)
