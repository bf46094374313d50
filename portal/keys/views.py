"""The page of one's SSH keys."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.requests import UserRequest
from kvmweb.accounts.services import Asker
from kvmweb.errors import AppError
from portal.keys import access, queries, services
from portal.keys.forms import KeyForm


@require_http_methods(["GET", "HEAD", "POST"])
@door(Right.SIGNED_IN)
def keys(request: UserRequest) -> HttpResponse:
    """One's keys, and room for another one."""
    form = KeyForm(request.POST or None)
    if form.is_valid():
        told = form.cleaned_data
        try:
            key = services.keep(told["name"], told["text"], by=_asker(request))
        except AppError as error:
            form.tell(error)
        else:
            messages.success(request, f"The key {key.name} is kept.")
            return redirect("ssh-keys")
    context = {"form": form, "keys": queries.of(request.user)}
    status = 422 if form.errors else 200
    return render(request, "portal/keys/list.html", context, status=status)


@require_POST
@door(Right.SIGNED_IN)
def forget(request: UserRequest, key_id: int) -> HttpResponse:
    """Keep a key no more."""
    key = access.key(request.user, key_id)
    services.forget(key, by=_asker(request))
    messages.success(request, f"The key {key.name} is forgotten.")
    return redirect("ssh-keys")


def _asker(request: UserRequest) -> Asker:
    return Asker(request.user, request.client_address)
