"""Pages of convoys: the rehearsal, how one goes on, and the buttons that steer it."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from guests.draining import access, services
from guests.draining.forms import DrainForm
from hosts import access as host_access
from hosts import services as host_services
from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.requests import UserRequest
from kvmweb.errors import AppError, Conflict


@require_http_methods(["GET", "HEAD", "POST"])
@door(Right.MANAGE_HOSTS)
def drain(request: UserRequest, pk: int) -> HttpResponse:
    """What would happen if the host were emptied, and the button that does it."""
    host = host_access.host(request.user, pk, Right.MANAGE_HOSTS)
    found = services.rehearse(host)
    form = DrainForm(found.plan.stuck, request.POST or None)
    if form.is_valid():
        try:
            operation = host_services.set_maintenance(
                host,
                enabled=True,
                evacuate=True,
                ways=form.ways(),
                by=request.user,
                address=request.client_address,
            )
        except AppError as error:
            form.tell(error)
        else:
            return redirect("convoy", operation.pk)
    context = {
        "host": host,
        "plan": found.plan,
        "off": found.off,
        "form": form,
        "under_way": services.under_way(host),
    }
    status = 422 if form.errors else 200
    return render(request, "guests/draining/rehearsal.html", context, status=status)


@require_safe
@door(Right.SEE_HOSTS)
def convoy(request: UserRequest, pk: UUID) -> HttpResponse:
    """Guest by guest: what was planned, and what became of it."""
    found, operation = access.convoy(request.user, pk, Right.SEE_HOSTS)
    context = {"convoy": found, "operation": operation, "steps": found.steps.all()}
    return render(request, "guests/draining/convoy.html", context)


@require_POST
@door(Right.MANAGE_HOSTS)
def pause(request: UserRequest, pk: UUID) -> HttpResponse:
    """Begin nothing more for now, or go on."""
    found, _ = access.convoy(request.user, pk, Right.MANAGE_HOSTS)
    services.pause(found, paused=request.POST.get("paused") == "true")
    return redirect("convoy", pk)


@require_POST
@door(Right.MANAGE_HOSTS)
def stop(request: UserRequest, pk: UUID) -> HttpResponse:
    """Begin nothing more; with `now` those that were begun are cancelled, too."""
    _, operation = access.convoy(request.user, pk, Right.MANAGE_HOSTS)
    try:
        services.stop(
            operation,
            gently="now" not in request.POST,
            by=request.user,
            address=request.client_address,
        )
    except Conflict as error:
        messages.error(request, str(error))
    return redirect("convoy", pk)


@require_POST
@door(Right.MANAGE_HOSTS)
def bring_home(request: UserRequest, pk: int) -> HttpResponse:
    """Move back what left when the host was emptied."""
    host = host_access.host(request.user, pk, Right.MANAGE_HOSTS)
    try:
        operation = services.bring_home(
            host, by=request.user, address=request.client_address
        )
    except Conflict as error:
        messages.error(request, str(error))
        return redirect(host)
    return redirect("convoy", operation.pk)


@require_POST
@door(Right.MANAGE_HOSTS)
def forget(request: UserRequest, pk: int) -> HttpResponse:
    """Where its guests are now is their home from now on."""
    host = host_access.host(request.user, pk, Right.MANAGE_HOSTS)
    services.forget(host)
    return redirect(host)
