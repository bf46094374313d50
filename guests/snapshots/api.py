"""The API of snapshots: the same gate and the same services as the pages."""

from typing import Any
from uuid import UUID

from ninja import Query, Router
from ninja.responses import Status

from guests import access
from guests.snapshots import queries, services
from guests.snapshots.shapes import SnapshotIn, SnapshotOut, snapshot_json
from kvmweb import doors
from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.requests import UserRequest
from kvmweb.operations.api import OperationOut
from kvmweb.operations.models import Operation

router = Router(tags=["guests"])
_ORDERINGS = {"name": "name", "created_at": "at"}


@router.get(
    "{uuid:uuid}/snapshots/",
    response=doors.Page[SnapshotOut],
    url_name="guest-snapshots",
)
@door(Right.SEE)
def snapshots(
    request: UserRequest, uuid: UUID, query: Query[doors.PageQuery]
) -> dict[str, Any]:
    """The snapshots of a guest, the oldest first."""
    guest = access.guest(request.user, uuid, Right.SEE)
    rows = guest.snapshot_rows.all()
    page = doors.paged(rows, query, ordering=_ORDERINGS, search=("name", "description"))
    queries.sized(guest, page["items"])
    return page | {"items": [snapshot_json(row) for row in page["items"]]}


@router.post(
    "{uuid:uuid}/snapshots/", response={202: OperationOut}, url_name="guest-snapshots"
)
@door(Right.SNAPSHOT)
def create_snapshot(
    request: UserRequest, uuid: UUID, body: SnapshotIn
) -> Status[Operation]:
    """Keep the guest as it is now; with `memory`, what it holds in memory, too."""
    guest = access.guest(request.user, uuid, Right.SNAPSHOT)
    by, address = request.user, request.client_address
    return doors.accepted(services.create(guest, body.wish(), by=by, address=address))


@router.post(
    "{uuid:uuid}/snapshots/{name}/revert/",
    response={202: OperationOut},
    url_name="guest-snapshot-revert",
)
@door(Right.SNAPSHOT)
def revert_to_snapshot(
    request: UserRequest, uuid: UUID, name: str
) -> Status[Operation]:
    """Make the guest what it was; what it wrote since is lost to it."""
    guest = access.guest(request.user, uuid, Right.SNAPSHOT)
    by, address = request.user, request.client_address
    return doors.accepted(services.revert(guest, name, by=by, address=address))


@router.delete(
    "{uuid:uuid}/snapshots/{name}/",
    response={202: OperationOut},
    url_name="guest-snapshot",
)
@door(Right.SNAPSHOT)
def delete_snapshot(request: UserRequest, uuid: UUID, name: str) -> Status[Operation]:
    """Forget a snapshot; the guest stays as it is now."""
    guest = access.guest(request.user, uuid, Right.SNAPSHOT)
    by, address = request.user, request.client_address
    return doors.accepted(services.delete(guest, name, by=by, address=address))
