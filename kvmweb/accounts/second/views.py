"""Pages of the second factor: the second step of signing in, and what one has.

A factor is set up either by who is signed in, or in the middle of signing in, where it
is demanded; `_person` says which of them asks.
"""

from collections.abc import Callable
from functools import wraps
from typing import cast

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from kvmweb.accounts import access as people
from kvmweb.accounts import signin
from kvmweb.accounts.forms import refuse
from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.outside import oidc
from kvmweb.accounts.requests import UserRequest
from kvmweb.accounts.second import access, codes, forms, half, queries, services
from kvmweb.accounts.second.half import Half
from kvmweb.accounts.services import Asker
from kvmweb.accounts.sessions import services as sessions
from kvmweb.errors import Invalid, TooMany

form_page = require_http_methods(["GET", "HEAD", "POST"])
Page = Callable[..., HttpResponse]


def fresh(view: Page) -> Page:
    """A page for who has shown their password a short while ago, else it asks for it."""

    @wraps(view)
    def asked(request: UserRequest, *args: object, **kwargs: object) -> HttpResponse:
        if signin.is_fresh(request):
            return view(request, *args, **kwargs)
        page = request.path if request.method == "GET" else reverse("second")
        return redirect(f"{reverse('confirm')}?{urlencode({'next': page})}")

    return asked


@form_page
@never_cache
@sensitive_post_parameters("code")
@door(Right.PUBLIC)
def step(request: HttpRequest) -> HttpResponse:
    """The second step of signing in."""
    found = half.who(request)
    if found is None:
        return redirect("login")
    if not half.has_one(found.user):
        return redirect("login-second-app")
    form = forms.Code(request.POST or None)
    if form.is_valid():
        try:
            services.take_code(
                request, found, form.cleaned_data["code"], _address(request)
            )
        except (Invalid, TooMany) as error:
            refuse(form, error)
            return step_page(request, found, form, status=error.status)
        return redirect(found.after or "login")
    return step_page(request, found, form, status=422 if form.is_bound else 200)


@form_page
@never_cache
@sensitive_post_parameters("code", "sealed")
@door(Right.PUBLIC)
def demanded_app(request: HttpRequest) -> HttpResponse:
    """Set up an app in the middle of signing in: nothing else opens before."""
    found = half.who(request)
    if found is None:
        return redirect("login")
    if half.has_one(found.user):
        return redirect("login-second")
    form = forms.NewApp(request.POST or None)
    by = Asker(found.user, _address(request))
    try:
        shown = _set_up(form, by)
    except (Invalid, TooMany) as error:
        refuse(form, error)
        shown = []
    if not shown:
        return _app_page(request, by, form, bare=True)
    half.complete(request, found, by="app")
    return codes_page(request, shown, found.after or reverse("login"))


@require_safe
@door(Right.SIGNED_IN)
def second(request: UserRequest) -> HttpResponse:
    """What one has besides a password."""
    context = {"factors": queries.factors(request.user)}
    return render(request, "accounts/second.html", context)


@form_page
@never_cache
@sensitive_post_parameters("code", "sealed")
@door(Right.SIGNED_IN)
@fresh
def app(request: UserRequest) -> HttpResponse:
    """Set up an app; another one takes the place of the first."""
    form, by = forms.NewApp(request.POST or None), _asker(request)
    try:
        shown = _set_up(form, by)
    except (Invalid, TooMany) as error:
        refuse(form, error)
        return _app_page(request, by, form)
    if not form.is_bound or not form.is_valid():
        return _app_page(request, by, form)
    secured(request)
    if shown:
        return codes_page(request, shown, reverse("second"))
    messages.success(request, "The new app is set up; the one before is good no more.")
    return redirect("second")


@require_POST
@door(Right.SIGNED_IN)
@fresh
def remove_app(request: UserRequest) -> HttpResponse:
    """No app any more."""
    services.remove_app(request.user, by=_asker(request))
    messages.success(request, "The app's codes are asked for no more.")
    return redirect("second")


@require_POST
@door(Right.SIGNED_IN)
@fresh
def remove_passkey(request: UserRequest, passkey_id: int) -> HttpResponse:
    """This key opens nothing any more."""
    passkey = access.passkey(request.user, passkey_id)
    services.remove_passkey(passkey, by=_asker(request))
    messages.success(request, f"The passkey {passkey.name} is removed.")
    return redirect("second")


@require_POST
@never_cache
@door(Right.SIGNED_IN)
@fresh
def recovery(request: UserRequest) -> HttpResponse:
    """New recovery codes, shown this once."""
    shown = services.new_recovery(request.user, by=_asker(request))
    return codes_page(request, shown, reverse("second"))


@require_POST
@door(Right.MANAGE_USERS)
def reset(request: UserRequest, pk: int) -> HttpResponse:
    """Take away the factors of somebody who lost theirs."""
    user = people.person(request.user, pk)
    services.reset(user, by=_asker(request))
    messages.success(request, f"{user.username} signs in without a second factor now.")
    return redirect("user-edit", pk)


@form_page
@sensitive_post_parameters("password")
@door(Right.SIGNED_IN)
def confirm(request: UserRequest) -> HttpResponse:
    """Show one's password once more, for what needs it."""
    after = request.POST.get("next") or request.GET.get("next") or ""
    if not url_has_allowed_host_and_scheme(after, allowed_hosts=None):
        after = reverse("account")
    form = forms.Confirm(request.POST or None)
    if form.is_valid():
        try:
            typed = form.cleaned_data["password"]
            signin.confirm(request, request.user, typed, request.client_address)
        except (Invalid, TooMany) as error:
            refuse(form, error)
        else:
            return redirect(after)
    status = 422 if form.is_bound else 200
    provider = settings.OIDC_NAME if oidc.configured() else ""
    context = {"form": form, "next": after, "provider": provider}
    return render(request, "accounts/confirm.html", context, status=status)


def _set_up(form: forms.NewApp, by: Asker) -> list[str]:
    if not form.is_valid():
        return []
    typed = form.cleaned_data
    return services.set_up_app(by.user, typed["sealed"], typed["code"], by=by)


def secured(request: UserRequest) -> None:
    """This session has shown the new factor; those that have not are ended."""
    request.session[half.PASSED] = request.session[half.CONFIRMED]
    key = request.session.session_key or ""
    sessions.end_others(request.user, key, by=_asker(request))


def step_page(
    request: HttpRequest, found: Half, form: forms.Code, *, status: int
) -> HttpResponse:
    """The page of the second step."""
    context = {"form": form, "factors": queries.factors(found.user)}
    return render(request, "accounts/second_step.html", context, status=status)


def _app_page(
    request: HttpRequest, by: Asker, form: forms.NewApp, *, bare: bool = False
) -> HttpResponse:
    offer = codes.offer(by.user, str(form.data.get("sealed", "")))
    context = {
        "form": form,
        "offer": offer,
        "bare": bare,
        "frame": "bare.html" if bare else "base.html",
    }
    status = 422 if form.is_bound else 200
    return render(request, "accounts/second_app.html", context, status=status)


def codes_page(request: HttpRequest, shown: list[str], after: str) -> HttpResponse:
    """New recovery codes, shown this once."""
    context = {"codes": shown, "next": after}
    response = render(request, "accounts/recovery_codes.html", context)
    response.headers["Cache-Control"] = "no-store"
    return response


def _address(request: HttpRequest) -> str:
    return cast(UserRequest, request).client_address


def _asker(request: UserRequest) -> Asker:
    return Asker(request.user, request.client_address)
