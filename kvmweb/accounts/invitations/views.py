"""Pages of letters: inviting, accepting, a forgotten password."""

from typing import cast
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from kvmweb.accounts.forms import refuse
from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.invitations import access, forms, links, posting, services
from kvmweb.accounts.invitations.models import Letter
from kvmweb.accounts.requests import UserRequest
from kvmweb.accounts.second import half
from kvmweb.accounts.services import Asker
from kvmweb.errors import Conflict, Invalid, TooMany

form_page = require_http_methods(["GET", "HEAD", "POST"])
MOST = 200  # invitations on the page


@form_page
@door(Right.MANAGE_USERS)
def invite(request: UserRequest) -> HttpResponse:
    """Invite somebody; see who was."""
    form = forms.Invite(request.POST or None)
    if form.is_valid():
        typed = form.cleaned_data
        try:
            letter = services.invite(
                typed["email"],
                typed["role"],
                project=typed["project"],
                project_role=typed["project_role"],
                by=_asker(request),
            )
        except Conflict as error:
            form.add_error("email", str(error))
        else:
            if not posting.can_send():
                return _invite_page(request, forms.Invite(), letter)
            messages.success(request, f"{letter.email} gets a letter.")
            return redirect("user-invite")
    return _invite_page(request, form)


@require_POST
@door(Right.MANAGE_USERS)
def withdraw(request: UserRequest, letter_id: UUID) -> HttpResponse:
    """An invitation holds no more."""
    letter = access.invitation(request.user, letter_id)
    services.withdraw(letter, by=_asker(request))
    messages.success(request, f"The invitation of {letter.email} holds no more.")
    return redirect("user-invite")


@form_page
@never_cache
@sensitive_post_parameters("password")
@door(Right.PUBLIC)
def accept(request: HttpRequest, link: str) -> HttpResponse:
    """Make one's account."""
    letter = links.opened(link, Letter.Kind.INVITATION)
    form = forms.Accept(
        request.POST or None, initial={"username": letter.email.partition("@")[0]}
    )
    if form.is_valid():
        typed, address = form.cleaned_data, _address(request)
        try:
            user = services.accept(
                letter, typed["username"], form.changes(), address=address
            )
        except Conflict as error:
            form.add_error("username", str(error))
        except Invalid as error:
            refuse(form, error)
        else:
            inside = half.enter(request, user, how="invitation")
            return redirect("login" if inside else "login-second")
    context = {"form": form, "letter": letter}
    status = 422 if form.is_bound else 200
    return render(request, "accounts/accept.html", context, status=status)


@form_page
@never_cache
@door(Right.PUBLIC)
def forgotten(request: HttpRequest) -> HttpResponse:
    """Ask for a letter with a link for a new password."""
    form = forms.Forgotten(request.POST or None)
    status, sent = 422 if form.is_bound else 200, ""
    if form.is_valid():
        try:
            services.ask_new_password(form.cleaned_data["email"], _address(request))
        except TooMany as error:
            refuse(form, error)
            status = error.status
        else:
            status, sent = 200, form.cleaned_data["email"]
    context = {"form": form, "sent": sent, "can_send": posting.can_send()}
    return render(request, "accounts/forgotten.html", context, status=status)


@form_page
@never_cache
@sensitive_post_parameters("password")
@door(Right.PUBLIC)
def new_password(request: HttpRequest, link: str) -> HttpResponse:
    """A new password, for who has the letter."""
    letter = links.opened(link, Letter.Kind.PASSWORD)
    form = forms.NewPassword(request.POST or None)
    if form.is_valid():
        password = form.cleaned_data["password"]
        try:
            services.set_new_password(letter, password, address=_address(request))
        except Invalid as error:
            refuse(form, error)
        else:
            messages.success(request, "Your password is changed. Sign in with it.")
            return redirect("login")
    context = {"form": form, "letter": letter}
    status = 422 if form.is_bound else 200
    return render(request, "accounts/new_password.html", context, status=status)


def _invite_page(
    request: UserRequest, form: forms.Invite, letter: Letter | None = None
) -> HttpResponse:
    context = {
        "form": form,
        "can_send": posting.can_send(),
        "letters": links.open_letters(Letter.Kind.INVITATION)[:MOST],
        "letter": letter,
        "address": posting.address_of(letter) if letter else "",
    }
    status = 422 if form.is_bound and not form.is_valid() else 200
    response = render(request, "accounts/invite.html", context, status=status)
    if letter:
        response.headers["Cache-Control"] = "no-store"
    return response


def _address(request: HttpRequest) -> str:
    return cast(UserRequest, request).client_address


def _asker(request: UserRequest) -> Asker:
    return Asker(request.user, request.client_address)
