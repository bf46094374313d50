"""Pages of snapshots: made, gone back to, deleted. They are seen on the guest's page."""

from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from guests import access
from guests.models import Guest
from guests.snapshots import queries, services
from guests.snapshots.forms import SnapshotForm, SureForm
from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.requests import UserRequest
from kvmweb.errors import AppError, Invalid

form_page = require_http_methods(["GET", "HEAD", "POST"])


@form_page
@door(Right.SNAPSHOT)
def create(request: UserRequest, pk: UUID) -> HttpResponse:
    """Keep a guest as it is now."""
    guest = access.guest(request.user, pk, Right.SNAPSHOT)
    form = SnapshotForm(guest, request.POST or None)
    if form.is_valid():
        wish, by = form.wish(), request.user
        try:
            services.create(guest, wish, by=by, address=request.client_address)
        except AppError as error:
            _explain(form, error)
        else:
            messages.success(request, f"The snapshot {wish.name} is being made.")
            return redirect(_tab(guest))
    context = {
        "guest": guest,
        "form": form,
        "refusal": services.why_not(guest, memory=False),
        "refusal_with_memory": services.why_not(guest, memory=True),
        "blocks": services.BLOCKS_MIGRATION,
    }
    status = 422 if form.errors else 200
    return render(request, "guests/snapshot_create.html", context, status=status)


@form_page
@door(Right.SNAPSHOT)
def revert(request: UserRequest, pk: UUID, name: str) -> HttpResponse:
    """Go back, once who asks has typed the name of the guest that loses something."""
    guest = access.guest(request.user, pk, Right.SNAPSHOT)
    snapshot = queries.one(guest, name)
    form = SureForm(guest.name, "Name of the guest", request.POST or None)
    if form.is_valid():
        by, address = request.user, request.client_address
        try:
            services.revert(guest, name, by=by, address=address)
        except AppError as error:
            _explain(form, error)
        else:
            messages.success(request, f"{guest.name} goes back to {snapshot.name}.")
            return redirect(_tab(guest))
    context = {
        "guest": guest,
        "snapshot": snapshot,
        "form": form,
        "losses": services.losses(guest, snapshot),
        "later": services.later(guest, snapshot),
        "outcome": services.outcome(snapshot),
    }
    status = 422 if form.errors else 200
    return render(request, "guests/snapshot_revert.html", context, status=status)


@form_page
@door(Right.SNAPSHOT)
def delete(request: UserRequest, pk: UUID, name: str) -> HttpResponse:
    """Forget a snapshot, once its name was typed."""
    guest = access.guest(request.user, pk, Right.SNAPSHOT)
    snapshot = queries.one(guest, name)
    form = SureForm(snapshot.name, "Name of the snapshot", request.POST or None)
    if form.is_valid():
        by, address = request.user, request.client_address
        try:
            services.delete(guest, name, by=by, address=address)
        except AppError as error:
            _explain(form, error)
        else:
            messages.success(request, f"The snapshot {snapshot.name} is being deleted.")
            return redirect(_tab(guest))
    context = {
        "guest": guest,
        "snapshot": snapshot,
        "form": form,
        "laid_aside": services.laid_aside(guest, snapshot),
    }
    status = 422 if form.errors else 200
    return render(request, "guests/snapshot_delete.html", context, status=status)


def _tab(guest: Guest) -> str:
    return f"{reverse('guest', args=[guest.pk])}#snapshots"


def _explain(form: forms.Form, error: AppError) -> None:
    """What the service refused, at its field where the form has it."""
    told = error.errors if isinstance(error, Invalid) else {}
    for field, sentences in told.items():
        form.add_error(field if field in form.fields else None, sentences)
    if not told:
        form.add_error(None, str(error))
