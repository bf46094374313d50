"""Pages of accounts outside: the way to an OpenID provider and back, and links.

What must come back unchanged lies in a sealed cookie of the browser that left, so that
looking at the way there changes no row, and nobody finishes a way another began.
"""

import json
from typing import cast

from cryptography.fernet import InvalidToken
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from kvmweb import vault
from kvmweb.accounts import audit, signin
from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.models import User
from kvmweb.accounts.outside import access, oidc, queries, services
from kvmweb.accounts.outside.oidc import Arrival, Journey
from kvmweb.accounts.requests import UserRequest
from kvmweb.accounts.second import half
from kvmweb.accounts.second.views import fresh
from kvmweb.accounts.services import Asker
from kvmweb.errors import AppError, Forbidden, NotFound

COOKIE = "kvmweb_journey"
_LASTS_S = 600
_PURPOSE = "accounts.outside"


@require_safe
@never_cache
@door(Right.PUBLIC)
def leave(request: HttpRequest) -> HttpResponse:
    """To the provider, to sign in, or to show once more who one is."""
    after = request.GET.get("next", "")
    if not url_has_allowed_host_and_scheme(after, allowed_hosts=None):
        after = ""
    again = "again" in request.GET and request.user.is_authenticated
    return _sent(request, after=after, again=again)


@require_safe
@never_cache
@door(Right.SIGNED_IN)
@fresh
def leave_to_link(request: UserRequest) -> HttpResponse:
    """To the provider, to sign in that way, too, from now on."""
    return _sent(request, after=reverse("outside"), link=request.user.pk)


@require_safe
@never_cache
@door(Right.PUBLIC)
def back(request: HttpRequest) -> HttpResponse:
    """From the provider: sign in, confirm or link, as was asked for."""
    try:
        journey = _journey(request)
        if "error" in request.GET:
            raise Forbidden("The provider did not let you in.")
        came = oidc.arrival(
            journey, request.GET.get("state", ""), request.GET.get("code", "")
        )
        answer = _arrive(request, journey, came)
    except AppError as error:
        answer = _told(request, error)
    answer.delete_cookie(COOKIE, path=reverse("login-oidc"), samesite="Lax")
    return answer


@require_safe
@door(Right.SIGNED_IN)
def outside(request: UserRequest) -> HttpResponse:
    """The accounts outside that one signs in with."""
    context = {
        "identities": queries.identities(request.user),
        "provider": settings.OIDC_NAME if oidc.configured() else "",
    }
    return render(request, "accounts/outside.html", context)


@require_POST
@door(Right.SIGNED_IN)
@fresh
def unlink(request: UserRequest, identity_id: int) -> HttpResponse:
    """No signing in that way any more."""
    identity = access.identity(request.user, identity_id)
    services.unlink(identity, by=Asker(request.user, request.client_address))
    messages.success(request, f"You do not sign in as {identity.label} any more.")
    return redirect("outside")


def _sent(
    request: HttpRequest, *, after: str, link: int = 0, again: bool = False
) -> HttpResponse:
    if not oidc.configured():
        raise NotFound("No provider of sign-ins is set up.")
    here = request.build_absolute_uri(reverse("login-oidc-back"))
    journey = Journey(here, after, link=link, again=again)
    try:
        answer: HttpResponse = redirect(oidc.address_to_go(journey))
    except AppError as error:
        return _told(request, error)
    kept = vault.seal(json.dumps(journey.kept()), _PURPOSE)
    answer.set_cookie(
        COOKIE,
        kept,
        max_age=_LASTS_S,
        path=reverse("login-oidc"),
        secure=settings.HTTPS,
        httponly=True,
        samesite="Lax",
    )
    return answer


def _journey(request: HttpRequest) -> Journey:
    """What this browser left with. Raises Forbidden when it did not, or long ago."""
    sealed = request.COOKIES.get(COOKIE, "").encode(errors="replace")
    try:
        text = vault.cipher(_PURPOSE).decrypt(sealed, ttl=_LASTS_S)
    except InvalidToken as error:
        raise Forbidden(
            "This browser did not ask to sign in, or too long ago.", hint="Start again."
        ) from error
    return Journey(**json.loads(text))


def _arrive(request: HttpRequest, journey: Journey, came: Arrival) -> HttpResponse:
    address = cast(UserRequest, request).client_address
    if journey.link or journey.again:
        return _known_again(request, journey, came, address)
    user = services.arrived(came.person, address=address)
    inside = half.enter(
        request, user, how="oidc", after=journey.after, strong=came.strong
    )
    return redirect((journey.after or "login") if inside else "login-second")


def _known_again(
    request: HttpRequest, journey: Journey, came: Arrival, address: str
) -> HttpResponse:
    """Who is signed in links this account, or shows by it that it is them."""
    user = request.user
    if not isinstance(user, User):
        raise Forbidden("Your session has ended meanwhile.")
    by = Asker(user, address)
    if journey.link:
        if journey.link != user.pk or not signin.is_fresh(request):
            raise Forbidden("Another account began to link this one.")
        services.linked(user, came.person, by=by)
        messages.success(request, f"You can sign in as {came.person.username} now.")
        return redirect("outside")
    if not came.shown_on(journey):
        raise Forbidden("The provider did not ask you who you are.")
    if services.arrived(came.person, address=address) != user:
        raise Forbidden("This is somebody else's account there.")
    signin.confirmed(request, user, address)
    return redirect(journey.after or "account")


def _told(request: HttpRequest, error: AppError) -> HttpResponse:
    """The error as a page; whoever was not let in is in the audit record."""
    audit.record_refusal(
        "sign-in.oidc",
        actor=audit.NOBODY,
        outcome="failed",
        address=cast(UserRequest, request).client_address,
        details={"because": error.detail},
    )
    return render(request, "error.html", {"error": error}, status=error.status)
