"""Pages of moves: where a guest may go and at what cost, and every guest at once."""

from collections.abc import Callable
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from guests import access, queries
from guests.migration import asking, dialog, mending, services
from guests.migration.forms import MoveForm
from guests.models import Guest
from hosts.access import host as host_of
from hosts.access import visible as visible_hosts
from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.requests import UserRequest
from kvmweb.errors import AppError, Conflict, Invalid
from kvmweb.operations.models import Operation
from kvmweb.templatetags.words import kind

form_page = require_http_methods(["GET", "HEAD", "POST"])
_PAGE = 25


@form_page
@door(Right.MIGRATE)
def move(request: UserRequest, pk: UUID) -> HttpResponse:
    """Where this guest may go, why not elsewhere, what it costs; and go."""
    guest = access.guest(request.user, pk, Right.MIGRATE)
    form = MoveForm(guest, request.POST or None)
    if form.is_valid():
        by, address = request.user, request.client_address
        try:
            operation = services.migrate(by, guest, form.wish(), address=address)
        except AppError as error:
            _explain(form, error)
        else:
            messages.success(request, f"{guest.name} is being moved.")
            return redirect(operation)
    context = {
        "guest": guest,
        "form": form,
        "options": dialog.options(guest, request.user),
        "active": queries.active_operations([guest.pk]).get(guest.pk),
        "asking": asking.under_way(guest),
    }
    status = 422 if form.errors else 200
    return render(request, "guests/migration/move.html", context, status=status)


@require_POST
@door(Right.MIGRATE)
def check(request: UserRequest, pk: UUID) -> HttpResponse:
    """Ask every host now; that it goes on, and what comes of it, is shown live."""
    guest = access.guest(request.user, pk, Right.MIGRATE)
    by, address = request.user, request.client_address
    return _asked(
        request, guest, lambda: asking.check_now(guest, by=by, address=address)
    )


@require_POST
@door(Right.MIGRATE)
def mend(request: UserRequest, pk: UUID) -> HttpResponse:
    """Mend one thing that speaks against a host."""
    guest = access.guest(request.user, pk, Right.MIGRATE)
    told = [*request.POST.get("mend", "").split(":", 2), "", ""][:3]
    host_id, action, subject = told
    number = int(host_id) if host_id.isdecimal() and len(host_id) < 19 else 0
    host = host_of(request.user, number, Right.MIGRATE)
    by, address = request.user, request.client_address
    return _asked(
        request,
        guest,
        lambda: mending.mend(guest, host, action, subject, by=by, address=address),
    )


@require_safe
@door(Right.MIGRATE)
def matrix(request: UserRequest) -> HttpResponse:
    """Guests and hosts: who may go where, and how long it would take."""
    filters = queries.Filters.of(request.GET.dict())
    rows = queries.Rows(request.user, filters, full=True)
    # Django's hints want a QuerySet; count() and slices are what it uses.
    pages: Paginator[Guest] = Paginator(rows, _PAGE)  # type: ignore[arg-type]
    page = pages.get_page(request.GET.get("page", "1"))
    hosts = list(visible_hosts(request.user).order_by("name"))
    context = {
        "page": page,
        "hosts": hosts,
        "filters": filters,
        "lines": dialog.matrix(list(page.object_list), hosts),
    }
    return render(request, "guests/migration/matrix.html", context)


def _asked(
    request: UserRequest, guest: Guest, ask: Callable[[], Operation]
) -> HttpResponse:
    """Ask, say what came of it, and go back to the dialog."""
    try:
        operation = ask()
        if operation.kind != asking.KIND:
            messages.success(request, f"{kind(operation.kind)}: it is under way.")
    except Conflict as error:
        messages.error(request, str(error))
    return redirect("guest-move", guest.pk)


def _explain(form: forms.Form, error: AppError) -> None:
    """What the service refused, at its field where the form has it."""
    told = error.errors if isinstance(error, Invalid) else {}
    for field, sentences in told.items():
        form.add_error(field if field in form.fields else None, sentences)
    if not told:
        form.add_error(None, str(error))
