"""Pages of passkeys: adding one, and using one as the second step.

static/js/passkeys.js asks for the options and sends the browser's answer with the form.
"""

from typing import cast

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from kvmweb.accounts.forms import refuse
from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.requests import UserRequest
from kvmweb.accounts.second import forms, half, passkeys
from kvmweb.accounts.second.half import Half
from kvmweb.accounts.second.views import (
    codes_page,
    form_page,
    fresh,
    secured,
    step_page,
)
from kvmweb.accounts.services import Asker
from kvmweb.errors import AppError, Conflict, Invalid, TooMany


@require_POST
@never_cache
@door(Right.SIGNED_IN)
@fresh
def options(request: UserRequest) -> HttpResponse:
    """What the browser needs to make a key."""
    return _json(passkeys.creation_options(request, request.user))


@form_page
@never_cache
@door(Right.SIGNED_IN)
@fresh
def new(request: UserRequest) -> HttpResponse:
    """Add a key."""
    form, by = forms.NewPasskey(request.POST or None), _asker(request)
    shown = _added(request, form, by)
    if shown is None:
        return _new_page(request, form, reverse("passkey-options"))
    secured(request)
    return (
        codes_page(request, shown, reverse("second")) if shown else redirect("second")
    )


@require_POST
@never_cache
@door(Right.PUBLIC)
def demanded_options(request: HttpRequest) -> HttpResponse:
    """What the browser needs to make a key, where one is demanded to come in."""
    return _json(passkeys.creation_options(request, _half(request, new=True).user))


@form_page
@never_cache
@door(Right.PUBLIC)
def demanded_new(request: HttpRequest) -> HttpResponse:
    """Add a key in the middle of signing in: nothing else opens before."""
    found = half.who(request)
    if found is None or half.has_one(found.user):
        return redirect("login" if found is None else "login-second")
    form = forms.NewPasskey(request.POST or None)
    shown = _added(request, form, Asker(found.user, _address(request)))
    if shown is None:
        return _new_page(request, form, reverse("login-passkey-new-options"), bare=True)
    half.complete(request, found, by="passkey")
    return codes_page(request, shown, found.after or reverse("login"))


@require_POST
@never_cache
@door(Right.PUBLIC)
def step_options(request: HttpRequest) -> HttpResponse:
    """What the browser needs to use a key."""
    return _json(passkeys.request_options(request, _half(request, new=False).user))


@require_POST
@never_cache
@door(Right.PUBLIC)
def step(request: HttpRequest) -> HttpResponse:
    """The second step with a key."""
    found = half.who(request)
    if found is None:
        return redirect("login")
    typed = forms.UsedPasskey(request.POST)
    credential = typed.cleaned_data["credential"] if typed.is_valid() else ""
    try:
        passkeys.take(request, found, credential, _address(request))
    except (Invalid, TooMany) as error:
        form = forms.Code({})
        form.full_clean()
        form.errors.clear()
        form.add_error(None, str(error))
        return step_page(request, found, form, status=error.status)
    return redirect(found.after or "login")


def _added(request: HttpRequest, form: forms.NewPasskey, by: Asker) -> list[str] | None:
    """Recovery codes to show, perhaps none; None when no key was added."""
    if not form.is_valid():
        return None
    typed = form.cleaned_data
    try:
        return passkeys.add(request, typed["name"], typed["credential"], by=by)
    except AppError as error:
        refuse(form, error)
        return None


def _half(request: HttpRequest, *, new: bool) -> Half:
    """Who is between the steps, without a factor or with one. Raises Conflict."""
    found = half.who(request)
    if found is None or half.has_one(found.user) == new:
        raise Conflict("This took too long.", hint="Start signing in again.")
    return found


def _new_page(
    request: HttpRequest, form: forms.NewPasskey, options_at: str, *, bare: bool = False
) -> HttpResponse:
    context = {
        "form": form,
        "options_at": options_at,
        "bare": bare,
        "frame": "bare.html" if bare else "base.html",
    }
    status = 422 if form.is_bound else 200
    return render(request, "accounts/passkey_new.html", context, status=status)


def _json(text: str) -> HttpResponse:
    return HttpResponse(text, content_type="application/json")


def _address(request: HttpRequest) -> str:
    return cast(UserRequest, request).client_address


def _asker(request: UserRequest) -> Asker:
    return Asker(request.user, request.client_address)
