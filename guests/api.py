"""The API of guests: the same gate and the same services as the pages."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from ninja import Query, Router
from ninja.responses import Status

from guests import access, console_api, queries, reading, services
from guests.actions import KINDS
from guests.creation import api as creation_api
from guests.hardware import api as hardware_api
from guests.hardware import version_api
from guests.inside import api as inside_api
from guests.json import for_user, guest_json, guests_json
from guests.schemas import (
    EditIn,
    GuestOut,
    GuestQuery,
    RevisionOut,
    SeriesOut,
    VolumesQuery,
)
from hosts.json import moment
from kvmweb import doors, samples
from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.requests import UserRequest
from kvmweb.operations.api import OperationOut
from kvmweb.operations.models import Operation

router = Router(tags=["guests"])
router.add_router("", console_api.router)
router.add_router("", hardware_api.router)
router.add_router("", version_api.router)
router.add_router("", creation_api.router)
router.add_router("", inside_api.router)
router.post("", response={202: OperationOut}, url_name="guests")(creation_api.create)


@router.get("", response=doors.Page[GuestOut], url_name="guests")
@door(Right.SEE)
def listing(request: UserRequest, query: Query[GuestQuery]) -> dict[str, Any]:
    """The guests you may see; those that are gone only when asked for."""
    rows = queries.Rows(request.user, query.filters(), full=True)
    part = rows[query.offset : query.offset + query.limit]
    items = [for_user(each, request.user) for each in guests_json(part)]
    return {"items": items, "count": rows.count()}


@router.post("demo/", response={202: OperationOut}, url_name="guest-demo")
@door(Right.SEE_HOSTS)
def start_demo(request: UserRequest) -> Status[Operation]:
    """Make a small demo guest on the product's own machine and start it."""
    return doors.accepted(
        services.start_demo(by=request.user, address=request.client_address)
    )


@router.get("{uuid:uuid}/", response=GuestOut, url_name="guest")
@door(Right.SEE)
def detail(request: UserRequest, uuid: UUID) -> dict[str, Any]:
    """One guest."""
    guest = access.guest(request.user, uuid, Right.SEE)
    return for_user(guest_json(guest), request.user)


@router.patch(
    "{uuid:uuid}/", response={200: GuestOut, 202: OperationOut}, url_name="guest"
)
@door(Right.EDIT)
def edit(
    request: UserRequest, uuid: UUID, body: EditIn
) -> Status[Operation] | Status[dict[str, Any]]:
    """Change its words and hardware: 202 when its host is told, else 200 and the guest."""
    guest = access.guest(request.user, uuid, Right.EDIT)
    operation = services.edit(
        guest,
        body.edit(),
        by=request.user,
        address=request.client_address,
        hardware=body.hardware(),
        when=body.when,
    )
    if operation is not None:
        return doors.accepted(operation)
    return Status(200, for_user(guest_json(guest), request.user))


@router.delete("{uuid:uuid}/", response={202: OperationOut}, url_name="guest")
@door(Right.DELETE)
def delete(
    request: UserRequest, uuid: UUID, query: Query[VolumesQuery]
) -> Status[Operation]:
    """Make its host forget it; `volumes=delete` also deletes what only it uses."""
    guest = access.guest(request.user, uuid, Right.DELETE)
    return doors.accepted(
        services.delete(
            guest,
            volumes=query.volumes == "delete",
            by=request.user,
            address=request.client_address,
        )
    )


@router.get(
    "{uuid:uuid}/revisions/",
    response=doors.Page[RevisionOut],
    url_name="guest-revisions",
)
@door(Right.SEE_XML)
def revisions(
    request: UserRequest, uuid: UUID, query: Query[doors.PageQuery]
) -> dict[str, Any]:
    """Every version of its XML that was ever in force, the newest first."""
    guest = access.guest(request.user, uuid, Right.SEE_XML)
    page = doors.paged(
        reading.revisions(guest),
        query,
        ordering={"number": "number", "at": "at", "author": "author"},
        search=("author",),
    )
    page["items"] = [
        {
            "number": each.number,
            "at": moment(each.at),
            "author": each.author,
            "operation": each.operation,
            "changes": each.changes,
            "xml": each.xml,
        }
        for each in reading.explained(guest, page["items"])
    ]
    return page


@router.get("{uuid:uuid}/stats/", response=SeriesOut, url_name="guest-stats")
@door(Right.SEE)
def stats(request: UserRequest, uuid: UUID, range: str = "1h") -> samples.Series:
    """Numbers over time; a gap is null."""
    guest = access.guest(request.user, uuid, Right.SEE)
    return samples.guest_series(guest.pk, range)


def _acting(action: str) -> Callable[..., Status[Operation]]:
    """The method for one action, with a name and a sentence of its own."""

    @door(Right.OPERATE)
    def act(request: UserRequest, uuid: UUID) -> Status[Operation]:
        guest = access.guest(request.user, uuid, Right.OPERATE)
        return doors.accepted(
            services.act(guest, action, by=request.user, address=request.client_address)
        )

    act.__name__ = action.replace("-", "_")
    act.__doc__ = f"{KINDS[action].label} the guest."
    return act


for name in KINDS:
    router.post(
        f"{{uuid:uuid}}/{name}/", response={202: OperationOut}, url_name=f"guest-{name}"
    )(_acting(name))
