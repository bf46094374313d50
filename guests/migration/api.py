"""The API of moves: the same gate and the same services as the pages."""

from uuid import UUID

from ninja import Router
from ninja.responses import Status

from guests import access
from guests.migration import services
from guests.migration.schemas import MoveIn
from kvmweb import doors
from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.requests import UserRequest
from kvmweb.operations.api import OperationOut
from kvmweb.operations.models import Operation

router = Router(tags=["guests"])


@router.post(
    "{uuid:uuid}/migrate/", response={202: OperationOut}, url_name="guest-migrate"
)
@door(Right.MIGRATE)
def migrate(request: UserRequest, uuid: UUID, body: MoveIn) -> Status[Operation]:
    """Bring the guest to another host; without one the product chooses.

    The operation's `result` ends with `downtime_ms`, `total_ms`, `transferred_bytes`.
    """
    guest = access.guest(request.user, uuid, Right.MIGRATE)
    return doors.accepted(
        services.migrate(
            request.user, guest, body.wish(), address=request.client_address
        )
    )
