"""The API of flavors."""

from typing import Any

from ninja import Query, Router
from ninja.responses import Status

from kvmweb import doors
from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.requests import UserRequest
from kvmweb.accounts.services import Asker
from portal.flavors import access, queries, services
from portal.flavors.schemas import (
    FlavorIn,
    FlavorOut,
    FlavorPatch,
    FlavorQuery,
    flavor_json,
)
from portal.projects import access as project_access

router = Router(tags=["projects"])


@router.get("", response=doors.Page[FlavorOut], url_name="flavors")
@door(Right.SIGNED_IN)
def listing(request: UserRequest, query: Query[FlavorQuery]) -> dict[str, Any]:
    """Flavors in their order; to who manages them those that are retired, too."""
    rows = queries.listing(request.user)
    if query.project is not None:
        project = project_access.project(request.user, query.project, Right.SEE)
        rows = rows.filter(pk__in=queries.for_project(project))
    if query.active is not None:
        rows = rows.filter(active=query.active)
    page = doors.paged(rows, query, ordering=queries.ORDERINGS, search=queries.SEARCHED)
    return page | {"items": [flavor_json(each) for each in page["items"]]}


@router.post("", response={201: FlavorOut}, url_name="flavors")
@door(Right.MANAGE_PROJECTS)
def add(request: UserRequest, body: FlavorIn) -> Status[dict[str, Any]]:
    """Offer a new size of machine."""
    flavor = services.add(body.about(), by=_asker(request))
    return Status(201, flavor_json(flavor))


@router.get("{int:flavor_id}/", response=FlavorOut, url_name="flavor")
@door(Right.SIGNED_IN)
def detail(request: UserRequest, flavor_id: int) -> dict[str, Any]:
    """One flavor."""
    return flavor_json(access.flavor(request.user, flavor_id, Right.SIGNED_IN))


@router.patch("{int:flavor_id}/", response=FlavorOut, url_name="flavor")
@door(Right.MANAGE_PROJECTS)
def edit(request: UserRequest, flavor_id: int, body: FlavorPatch) -> dict[str, Any]:
    """Say something else of it; `active: false` retires it."""
    flavor = access.flavor(request.user, flavor_id, Right.MANAGE_PROJECTS)
    wish = body.about(services.about(flavor))
    return flavor_json(services.edit(flavor, wish, by=_asker(request)))


@router.delete("{int:flavor_id}/", response={204: None}, url_name="flavor")
@door(Right.MANAGE_PROJECTS)
def delete(request: UserRequest, flavor_id: int) -> Status[None]:
    """Remove it; refused when somebody has asked for it, then it can be retired."""
    flavor = access.flavor(request.user, flavor_id, Right.MANAGE_PROJECTS)
    services.delete(flavor, by=_asker(request))
    return Status(204, None)


def _asker(request: UserRequest) -> Asker:
    return Asker(request.user, request.client_address)
