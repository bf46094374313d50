"""Pages of guests: the list, one of them, and what its buttons do."""

from collections.abc import Callable
from urllib.parse import urlsplit
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from guests import access, queries, reading, services
from guests.actions import KINDS
from guests.folders import queries as folder_queries
from guests.folders import saved
from guests.forms import DeleteForm, EditForm
from guests.hardware import details, versions
from guests.inside.queries import inside
from guests.models import Guest
from guests.proof.queries import of_guest as moves_of
from guests.queries import Filters
from guests.snapshots import queries as snapshots
from guests.snapshots.services import BLOCKS_MIGRATION
from kvmweb.accounts.gate import Right, door, may
from kvmweb.accounts.requests import UserRequest
from kvmweb.errors import AppError, Conflict, Invalid, NotFound
from kvmweb.operations.models import Operation
from kvmweb.operations.registry import label_of

form_page = require_http_methods(["GET", "HEAD", "POST"])


@require_safe
@door(Right.SEE)
def listing(request: UserRequest) -> HttpResponse:
    """All guests this person may see, filtered and sorted as the URL says."""
    filters = Filters.of(request.GET.dict())
    look = saved.look(request.user, request.GET.get("view", ""), filters)
    if first := not request.GET and look.first:
        return redirect(saved.address(first))
    context = {
        "look": look,
        "columns": saved.COLUMNS.items(),
        "folders": folder_queries.folders(request.user),
        "limits": folder_queries.limits_over(filters.folder, request.user),
        "page": queries.listing(request.user, filters, request.GET.get("page", "1")),
        "filters": filters,
        "sorts": queries.SORTS,
        "states": queries.STATES,
        "hosts": queries.hosts(request.user),
        "owners": queries.owners(request.user),
    }
    return render(request, "guests/list.html", context)


@require_safe
@door(Right.SEE)
def detail(request: UserRequest, pk: UUID) -> HttpResponse:
    """One guest: how it is, how busy, how to reach it, what happened last."""
    guest = access.guest(request.user, pk, Right.SEE)
    [guest] = queries.dressed([guest])
    twins = queries.twins(guest)
    guest.conflict = any(not twin.moving for twin in twins)
    sees_xml = may(request.user, Right.SEE_XML)
    context = {
        "actions": services.offered(guest, request.user, guest.active_operation),
        "guest": reading.shown(guest, request.user),
        "sample": guest.sample,
        "inside": inside(guest),
        "twins": twins if may(request.user, Right.SEE_HOSTS) else [],
        "operations": reading.operations(guest, request.user),
        "revisions": reading.versions(guest, request.user),
        "snapshots": snapshots.tree(guest),
        "snapshots_block": BLOCKS_MIGRATION,
        "proof_moves": moves_of(guest) if may(request.user, Right.SEE_HOSTS) else [],
        "happenings": reading.happenings(guest, request.user),
        "hardware": details.details(details.definition(guest)) if sees_xml else None,
        "pending": versions.pending_of(guest) if sees_xml and guest.differs else None,
        "rights": {
            right.value for right in Right if access.may_on(request.user, guest, right)
        },
    }
    return render(request, "guests/detail.html", context)


@require_POST
@door(Right.OPERATE)
def act(request: UserRequest, pk: UUID, action: str) -> HttpResponse:
    """One of the buttons."""
    guest = access.guest(request.user, pk, Right.OPERATE)
    if action not in KINDS:
        raise NotFound("A guest has no such action.")
    return _asked(
        request,
        guest,
        lambda: services.act(
            guest, action, by=request.user, address=request.client_address
        ),
    )


@require_POST
@door(Right.OPERATE)
def autostart(request: UserRequest, pk: UUID) -> HttpResponse:
    """Whether it starts with its host."""
    guest = access.guest(request.user, pk, Right.OPERATE)
    enabled = request.POST.get("enabled") == "true"
    return _asked(
        request,
        guest,
        lambda: services.set_autostart(
            guest, enabled=enabled, by=request.user, address=request.client_address
        ),
    )


@form_page
@door(Right.EDIT)
def edit(request: UserRequest, pk: UUID) -> HttpResponse:
    """Title, description, tags, protection, owner."""
    guest = access.guest(request.user, pk, Right.EDIT)
    form = EditForm(guest, request.user, request.POST or None)
    if form.is_valid():
        try:
            operation = services.edit(
                guest, form.edit(), by=request.user, address=request.client_address
            )
        except AppError as error:
            _explain(form, error)
        else:
            words = "Its host is being told." if operation else "Saved."
            messages.success(request, words)
            return redirect(guest)
    status = 422 if form.errors else 200
    context = {"guest": guest, "form": form}
    return render(request, "guests/edit.html", context, status=status)


@form_page
@door(Right.DELETE)
def delete(request: UserRequest, pk: UUID) -> HttpResponse:
    """Its name typed, and what becomes of each volume."""
    guest = access.guest(request.user, pk, Right.DELETE)
    form = DeleteForm(guest, request.POST or None)
    if form.is_valid():
        volumes = form.cleaned_data["volumes"] == "delete"
        try:
            operation = services.delete(
                guest, volumes=volumes, by=request.user, address=request.client_address
            )
        except AppError as error:
            _explain(form, error)
        else:
            messages.success(request, f"{guest.name} is being deleted.")
            return redirect(operation)
    fates, refusal = services.fates(guest, request.user)
    context = {"guest": guest, "form": form, "volumes": fates, "refusal": refusal}
    status = 422 if form.errors else 200
    return render(request, "guests/delete.html", context, status=status)


@require_POST
@door(Right.SEE_HOSTS)
def start_demo(request: UserRequest) -> HttpResponse:
    """Make a demo guest on this machine."""
    return _asked(
        request,
        None,
        lambda: services.start_demo(by=request.user, address=request.client_address),
    )


def _asked(
    request: UserRequest, guest: Guest | None, ask: Callable[[], Operation]
) -> HttpResponse:
    """Ask, say what came of it, and go back to where the button was."""
    try:
        operation = ask()
        label = label_of(operation.kind)
        messages.success(request, f"{operation.guest_name}: “{label}” is under way.")
    except Conflict as error:
        messages.error(request, str(error))
    return redirect(_back(request, guest))


def _back(request: UserRequest, guest: Guest | None) -> str:
    """The page the button was on, of ours only."""
    came_from = urlsplit(request.headers.get("Referer", ""))
    here = came_from.netloc == request.get_host()
    if here and came_from.path in {reverse("guests"), reverse("overview")}:
        query = f"?{came_from.query}" if came_from.query else ""
        return f"{came_from.path}{query}"
    return guest.get_absolute_url() if guest else reverse("overview")


def _explain(form: EditForm | DeleteForm, error: AppError) -> None:
    """What the service refused, at its field where the form has it."""
    told = error.errors if isinstance(error, Invalid) else {}
    for field, sentences in told.items():
        form.add_error(field if field in form.fields else None, sentences)
    if not told:
        form.add_error(None, str(error))
