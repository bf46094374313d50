"""Pages of sessions: where one is signed in."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from kvmweb.accounts import access as people
from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.requests import UserRequest
from kvmweb.accounts.services import Asker
from kvmweb.accounts.sessions import access, queries, services, store


@require_safe
@door(Right.SIGNED_IN)
def sessions(request: UserRequest) -> HttpResponse:
    """Where one is signed in."""
    here = store.handle(request.session.session_key or "")
    context = {"visits": queries.visits(request.user), "here": here}
    return render(request, "accounts/sessions.html", context)


@require_POST
@door(Right.SIGNED_IN)
def end(request: UserRequest, handle: UUID) -> HttpResponse:
    """Sign out elsewhere, or here; who manages people ends anybody's."""
    visit = access.visit(request.user, handle)
    services.end(visit, by=Asker(request.user, request.client_address))
    if visit.session_key == request.session.session_key:
        return redirect("login")
    messages.success(request, f"The session of {visit.device} is ended.")
    if visit.user_id != request.user.pk:
        return redirect("user-edit", visit.user_id)
    return redirect("sessions")


@require_POST
@door(Right.MANAGE_USERS)
def end_all(request: UserRequest, pk: int) -> HttpResponse:
    """Sign somebody out wherever they are."""
    user = people.person(request.user, pk)
    services.end_all(user, by=Asker(request.user, request.client_address))
    if user == request.user:
        return redirect("login")
    messages.success(request, f"{user.username} is signed out everywhere.")
    return redirect("user-edit", pk)


@require_POST
@door(Right.SIGNED_IN)
def end_others(request: UserRequest) -> HttpResponse:
    """Sign out everywhere else."""
    by = Asker(request.user, request.client_address)
    services.end_others(request.user, request.session.session_key or "", by=by)
    messages.success(request, "You are signed in here only.")
    return redirect("sessions")
