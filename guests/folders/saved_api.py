"""The API of views of the list of guests that people keep."""

from typing import Any

from ninja import Query, Router
from ninja.responses import Status

from guests.folders import access, saved
from guests.folders.models import ListHabit, SavedView
from guests.folders.schemas import ViewIn, ViewOut, ViewPatch
from kvmweb import doors
from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.models import User
from kvmweb.accounts.requests import UserRequest
from kvmweb.accounts.services import Asker

router = Router(tags=["guests"])


@router.get("", response=doors.Page[ViewOut], url_name="views")
@door(Right.SEE)
def views(request: UserRequest, query: Query[doors.PageQuery]) -> dict[str, Any]:
    """Your views and the shared ones."""
    rows = access.views(request.user).select_related("owner")
    page = doors.paged(
        rows,
        query,
        ordering={"name": "name", "owner": "owner__username"},
        search=("name",),
    )
    opens = _opens(request.user)
    page["items"] = [_view(it, request.user, opens) for it in page["items"]]
    return page


@router.post("", response={201: ViewOut}, url_name="views")
@door(Right.SEE)
def keep(request: UserRequest, body: ViewIn) -> Status[dict[str, Any]]:
    """Keep filters, order, folder, columns and height of rows under a name."""
    kept = saved.add(body.wish(), by=_asker(request))
    return Status(201, _view(kept, request.user, _opens(request.user)))


@router.get("{int:view_id}/", response=ViewOut, url_name="view")
@door(Right.SEE)
def view(request: UserRequest, view_id: int) -> dict[str, Any]:
    """One view."""
    found = access.view(request.user, view_id)
    return _view(found, request.user, _opens(request.user))


@router.patch("{int:view_id}/", response=ViewOut, url_name="view")
@door(Right.SEE)
def edit(request: UserRequest, view_id: int, body: ViewPatch) -> dict[str, Any]:
    """Change a view; whether the list begins with it is everybody's own affair."""
    found = access.view(request.user, view_id)
    found = saved.edit(found, body.wish(), by=_asker(request))
    return _view(found, request.user, _opens(request.user))


@router.delete("{int:view_id}/", response={204: None}, url_name="view")
@door(Right.SEE)
def forget(request: UserRequest, view_id: int) -> Status[None]:
    """Keep it no more."""
    saved.delete(access.view(request.user, view_id), by=_asker(request))
    return Status(204, None)


def _asker(request: UserRequest) -> Asker:
    return Asker(request.user, request.client_address)


def _opens(user: User) -> int | None:
    habits = ListHabit.objects.filter(user=user)
    return habits.values_list("opens", flat=True).first()


def _view(view: SavedView, user: User, opens: int | None) -> dict[str, Any]:
    return {
        "id": view.pk,
        "name": view.name,
        "owner": view.owner.username,
        "mine": access.may_change(user, view),
        "shared": view.shared,
        "default": view.pk == opens,
        "filters": view.filters,
        "hidden": view.hidden,
        "dense": view.dense,
        "url": saved.address(view),
    }
