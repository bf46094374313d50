"""The page of a guest's screen."""

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from guests import access, queries
from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.requests import UserRequest


@require_safe
@door(Right.CONSOLE)
def console(request: UserRequest, pk: UUID) -> HttpResponse:
    """The frame; the screen in it comes by its own ticket."""
    guest = access.guest(request.user, pk, Right.CONSOLE)
    context = {"guest": guest, "moving": queries.is_moving(guest)}
    return render(request, "guests/console.html", context)
