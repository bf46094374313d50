"""What the buttons of views of the list do. Each leads back to the list."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from guests.folders import access, saved
from guests.folders.forms import LookForm, ViewForm, filters_of
from guests.folders.models import SavedView
from guests.folders.saved import Wish
from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.requests import UserRequest
from kvmweb.accounts.services import Asker
from kvmweb.errors import AppError, Conflict, Invalid, NotFound


@require_POST
@door(Right.SEE)
def keep(request: UserRequest) -> HttpResponse:
    """Keep the list as it is now, under a name."""
    form = ViewForm(request.POST)
    if not form.is_valid():
        return _back(request, "Give it a name of at most 60 letters.")
    told = form.cleaned_data
    filters = filters_of(told["query"])
    look = saved.look(request.user, request.POST.get("view", ""), filters)
    wish = Wish(
        name=told["name"],
        shared=told["shared"],
        filters=filters,
        hidden=look.hidden,
        dense=look.dense,
    )
    try:
        view = saved.add(wish, by=_asker(request))
    except (Conflict, Invalid) as error:
        return _back(request, str(error))
    return redirect(saved.address(view))


@require_POST
@door(Right.SEE)
def change(request: UserRequest, view_id: int, verb: str) -> HttpResponse:
    """Rename it, share it, begin with it, or keep these filters in it."""
    view = access.view(request.user, view_id)
    if verb not in _VERBS:
        raise NotFound("A view has no such action.")
    form = ViewForm(request.POST)
    told = form.cleaned_data if form.is_valid() else {}
    wish = {
        "rename": Wish(name=told.get("name", "")),
        "share": Wish(shared=True),
        "unshare": Wish(shared=False),
        "begin": Wish(default=True),
        "stop": Wish(default=False),
        "update": Wish(filters=filters_of(told.get("query", ""))),
    }[verb]
    try:
        view = saved.edit(view, wish, by=_asker(request))
    except (Conflict, Invalid) as error:
        messages.error(request, str(error))
    return redirect(saved.address(view))


@require_POST
@door(Right.SEE)
def delete(request: UserRequest, view_id: int) -> HttpResponse:
    """Keep it no more."""
    view = access.view(request.user, view_id)
    saved.delete(view, by=_asker(request))
    messages.success(request, f"The view “{view.name}” is kept no more.")
    return redirect(f"{reverse('guests')}?view=all")


@require_POST
@door(Right.SEE)
def look(request: UserRequest) -> HttpResponse:
    """Height of rows and columns: of one's own view that is open, else for oneself."""
    form = LookForm(request.POST)
    if not form.is_valid():
        return _back(request, "There is no such column.")
    wish = form.wish()
    rows = SavedView.objects.filter(owner=request.user)
    view = next((it for it in rows if str(it.pk) == request.POST.get("view")), None)
    try:
        if view is not None:
            saved.edit(view, wish, by=_asker(request))
        else:
            saved.prefer(request.user, dense=wish.dense, hidden=wish.hidden)
    except AppError as error:
        return _back(request, str(error))
    return _back(request, keeps_view=view is not None)


_VERBS = frozenset({"rename", "share", "unshare", "begin", "stop", "update"})


def _back(
    request: UserRequest, refusal: str = "", *, keeps_view: bool = True
) -> HttpResponse:
    """The list, as it was."""
    if refusal:
        messages.error(request, refusal)
    query = saved.query_of(request.POST.get("query", ""), keeps_view=keeps_view)
    return redirect(f"{reverse('guests')}?{query}")


def _asker(request: UserRequest) -> Asker:
    return Asker(request.user, request.client_address)
