"""Pages of the inside of guests: buttons on its overview, and two forms."""

from collections.abc import Callable
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from guests import access
from guests.inside import services
from guests.inside.forms import KeysForm, PasswordForm
from guests.models import Guest
from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.requests import UserRequest
from kvmweb.errors import AppError, Conflict, Invalid
from kvmweb.operations.models import Operation
from kvmweb.operations.registry import label_of

form_page = require_http_methods(["GET", "HEAD", "POST"])


@require_POST
@door(Right.CHANGE)
def look(request: UserRequest, pk: UUID) -> HttpResponse:
    """Ask its agent what is inside."""
    guest = access.guest(request.user, pk, Right.CHANGE)
    by, address = request.user, request.client_address
    return _asked(request, guest, lambda: services.look(guest, by=by, address=address))


@require_POST
@door(Right.CHANGE)
def sync_time(request: UserRequest, pk: UUID) -> HttpResponse:
    """Set its clock."""
    guest = access.guest(request.user, pk, Right.CHANGE)
    by, address = request.user, request.client_address
    return _asked(
        request, guest, lambda: services.sync_time(guest, by=by, address=address)
    )


@require_POST
@door(Right.CHANGE)
def add_channel(request: UserRequest, pk: UUID) -> HttpResponse:
    """Give it a channel for an agent."""
    guest = access.guest(request.user, pk, Right.CHANGE)
    by, address = request.user, request.client_address
    return _asked(
        request, guest, lambda: services.add_channel(guest, by=by, address=address)
    )


@form_page
@door(Right.CHANGE)
def password(request: UserRequest, pk: UUID) -> HttpResponse:
    """Give a user of the guest a new password."""
    guest = access.guest(request.user, pk, Right.CHANGE)
    form = PasswordForm(request.POST or None)
    if form.is_valid():
        told = form.cleaned_data
        try:
            operation = services.set_password(
                guest,
                told["user"],
                told["password"],
                by=request.user,
                address=request.client_address,
            )
        except (Invalid, Conflict) as error:
            form.tell(error)
        else:
            return redirect(operation)
    return _form(request, guest, form, "Set a password")


@form_page
@door(Right.CHANGE)
def ssh_keys(request: UserRequest, pk: UUID) -> HttpResponse:
    """Let public keys sign in as a user of the guest."""
    guest = access.guest(request.user, pk, Right.CHANGE)
    form = KeysForm(request.POST or None)
    if form.is_valid():
        told = form.cleaned_data
        try:
            operation = services.add_ssh_keys(
                guest,
                told["user"],
                told["ssh_keys"].splitlines(),
                by=request.user,
                address=request.client_address,
            )
        except (Invalid, Conflict) as error:
            form.tell(error)
        else:
            return redirect(operation)
    return _form(request, guest, form, "Add ssh keys")


def _form(
    request: UserRequest, guest: Guest, form: PasswordForm | KeysForm, title: str
) -> HttpResponse:
    context = {"guest": guest, "form": form, "title": title}
    status = 422 if form.errors else 200
    return render(request, "guests/inside.html", context, status=status)


def _asked(
    request: UserRequest, guest: Guest, ask: Callable[[], Operation]
) -> HttpResponse:
    """Ask, say what came of it, and go back to the guest."""
    try:
        operation = ask()
    except AppError as error:
        messages.error(request, str(error))
    else:
        label = label_of(operation.kind)
        messages.success(request, f"{guest.name}: “{label}” is under way.")
    return redirect(guest)
