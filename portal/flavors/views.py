"""Pages of flavors."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.requests import UserRequest
from kvmweb.accounts.services import Asker
from kvmweb.errors import AppError
from portal.flavors import access, queries, services
from portal.flavors.forms import FlavorForm

form_page = require_http_methods(["GET", "HEAD", "POST"])
_PLACES = {"up": -1, "down": 1}


@require_safe
@door(Right.SIGNED_IN)
def listing(request: UserRequest) -> HttpResponse:
    """The sizes there are: a list for who manages them, cards for who asks for them."""
    search = request.GET.get("search", "").replace("\0", "")[:200]
    flavors = list(queries.listing(request.user, search))
    context = {"flavors": flavors, "filters": {"search": search}}
    return render(request, "portal/flavors/list.html", context)


@form_page
@door(Right.MANAGE_PROJECTS)
def new(request: UserRequest) -> HttpResponse:
    """Offer another size."""
    form = FlavorForm(request.POST or None)
    if form.is_valid():
        try:
            flavor = services.add(form.about(), by=_asker(request))
        except AppError as error:
            form.tell(error)
        else:
            messages.success(request, f"{flavor.name} can be asked for now.")
            return redirect("flavors")
    status = 422 if form.errors else 200
    context = {"form": form, "flavor": None}
    return render(request, "portal/flavors/form.html", context, status=status)


@form_page
@door(Right.MANAGE_PROJECTS)
def edit(request: UserRequest, flavor_id: int) -> HttpResponse:
    """Say something else of one."""
    flavor = access.flavor(request.user, flavor_id, Right.MANAGE_PROJECTS)
    form = FlavorForm(request.POST or None, services.about(flavor))
    if form.is_valid():
        try:
            services.edit(flavor, form.about(), by=_asker(request))
        except AppError as error:
            form.tell(error)
        else:
            messages.success(request, "Saved.")
            return redirect("flavors")
    status = 422 if form.errors else 200
    context = {"form": form, "flavor": flavor}
    return render(request, "portal/flavors/form.html", context, status=status)


@require_POST
@door(Right.MANAGE_PROJECTS)
def retire(request: UserRequest, flavor_id: int) -> HttpResponse:
    """Nobody can ask for it any more; or, when it is retired, everybody again."""
    flavor = access.flavor(request.user, flavor_id, Right.MANAGE_PROJECTS)
    services.set_active(flavor, active=not flavor.active, by=_asker(request))
    return redirect("flavors")


@require_POST
@door(Right.MANAGE_PROJECTS)
def move(request: UserRequest, flavor_id: int) -> HttpResponse:
    """One place up or down among the others."""
    flavor = access.flavor(request.user, flavor_id, Right.MANAGE_PROJECTS)
    places = _PLACES.get(request.POST.get("way", ""), 0)
    services.move(flavor, places, by=_asker(request))
    return redirect("flavors")


@require_POST
@door(Right.MANAGE_PROJECTS)
def delete(request: UserRequest, flavor_id: int) -> HttpResponse:
    """Remove it, where nobody has asked for it."""
    flavor = access.flavor(request.user, flavor_id, Right.MANAGE_PROJECTS)
    try:
        services.delete(flavor, by=_asker(request))
    except AppError as error:
        messages.error(request, str(error))
        return redirect("flavor-edit", flavor.pk)
    messages.success(request, f"{flavor.name} is removed.")
    return redirect("flavors")


def _asker(request: UserRequest) -> Asker:
    return Asker(request.user, request.client_address)
