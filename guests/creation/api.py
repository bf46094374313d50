"""The API of new guests: asking for them, and what would happen if one did.

`create` is the POST of guests/, which guests.api declares beside its GET.
"""

from typing import Any

from ninja import Router
from ninja.responses import Status

from guests.creation import services
from guests.creation.json import preview_json
from guests.creation.schemas import GuestIn, PreviewOut
from kvmweb import doors
from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.requests import UserRequest
from kvmweb.operations.models import Operation

router = Router(tags=["guests"])


@door(Right.CREATE)
def create(request: UserRequest, body: GuestIn) -> Status[Operation]:
    """Make a guest, or `count` of them: then the operation has children."""
    return doors.accepted(
        services.create(
            body.wanted(request.user.username),
            body.cloud(),
            by=request.user,
            address=request.client_address,
        )
    )


@router.post("preview/", response=PreviewOut, url_name="guest-preview")
@door(Right.CREATE)
def preview(request: UserRequest, body: GuestIn) -> dict[str, Any]:
    """What would happen: the host and why, why not the others, volumes, XML."""
    wanted = body.wanted(request.user.username)
    return preview_json(services.preview(wanted, body.cloud(), by=request.user))
