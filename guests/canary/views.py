"""The page of the canary, and its two buttons."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from guests.canary import queries, services
from guests.canary.forms import ScheduleForm
from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.requests import UserRequest
from kvmweb.errors import Conflict


@require_safe
@door(Right.SEE_HOSTS)
def canary(request: UserRequest) -> HttpResponse:
    """What was proved of each way between hosts."""
    board = queries.board()
    form = ScheduleForm(
        initial={"enabled": board.schedule.enabled, "hour": board.schedule.hour}
    )
    return render(request, "guests/canary/board.html", {"board": board, "form": form})


@require_POST
@door(Right.MIGRATE)
def run(request: UserRequest) -> HttpResponse:
    """Have it fly now."""
    try:
        services.run(by=request.user, address=request.client_address)
        messages.success(request, "A canary flies every way between the hosts.")
    except Conflict as error:
        messages.error(request, str(error))
    return redirect("canary")


@require_POST
@door(Right.MANAGE_HOSTS)
def schedule(request: UserRequest) -> HttpResponse:
    """When it flies by itself."""
    form = ScheduleForm(request.POST)
    if not form.is_valid():
        context = {"board": queries.board(), "form": form}
        return render(request, "guests/canary/board.html", context, status=422)
    services.schedule(
        **form.cleaned_data, by=request.user, address=request.client_address
    )
    messages.success(request, "Saved.")
    return redirect("canary")
