"""Pages of clones and templates."""

from collections.abc import Callable
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from guests import access
from guests.cloning import identity, services, templates
from guests.cloning.forms import CloneForm
from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.requests import UserRequest
from kvmweb.errors import AppError, Conflict, Invalid

form_page = require_http_methods(["GET", "HEAD", "POST"])


@form_page
@door(Right.CREATE)
def clone(request: UserRequest, pk: UUID) -> HttpResponse:
    """Make other guests of this one."""
    guest = access.guest(request.user, pk, Right.CREATE)
    form = CloneForm(guest, request.POST or None)
    if form.is_valid():
        by, address = request.user, request.client_address
        try:
            operation = services.clone(guest, form.wish(), by=by, address=address)
        except AppError as error:
            _explain(form, error)
        else:
            messages.success(request, f"{guest.name} is being cloned.")
            return redirect(operation)
    context = {
        "guest": guest,
        "form": form,
        "refusal_full": services.why_not(guest, linked=False),
        "refusal_linked": services.why_not(guest, linked=True),
        "identity": identity.sentence(guest),
    }
    status = 422 if form.errors else 200
    return render(request, "guests/clone.html", context, status=status)


@require_POST
@door(Right.CHANGE)
def to_template(request: UserRequest, pk: UUID) -> HttpResponse:
    """Make it something to clone, never to start."""
    return _said(request, pk, templates.to_template, "is a template now.")


@require_POST
@door(Right.CHANGE)
def to_guest(request: UserRequest, pk: UUID) -> HttpResponse:
    """Let it be started again."""
    return _said(request, pk, templates.to_guest, "is a guest again.")


def _said(
    request: UserRequest, pk: UUID, change: Callable[..., None], words: str
) -> HttpResponse:
    guest = access.guest(request.user, pk, Right.CHANGE)
    try:
        change(guest, by=request.user, address=request.client_address)
        messages.success(request, f"{guest.name} {words}")
    except Conflict as error:
        messages.error(request, str(error))
    return redirect(guest)


def _explain(form: forms.Form, error: AppError) -> None:
    """What the service refused, at its field where the form has it."""
    told = error.errors if isinstance(error, Invalid) else {}
    for field, sentences in told.items():
        form.add_error(field if field in form.fields else None, sentences)
    if not told:
        form.add_error(None, str(error))
