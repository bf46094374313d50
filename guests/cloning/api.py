"""The API of clones and templates: the same gate and the same services as the pages."""

from typing import Any
from uuid import UUID

from ninja import Router
from ninja.responses import Status

from guests import access
from guests.cloning import services, templates
from guests.cloning.shapes import CloneIn, TemplateIn
from guests.json import for_user, guest_json
from guests.schemas import GuestOut
from kvmweb import doors
from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.requests import UserRequest
from kvmweb.operations.api import OperationOut
from kvmweb.operations.models import Operation

router = Router(tags=["guests"])


@router.post("{uuid:uuid}/clone/", response={202: OperationOut}, url_name="guest-clone")
@door(Right.CREATE)
def clone(request: UserRequest, uuid: UUID, body: CloneIn) -> Status[Operation]:
    """Make another guest of this one: `linked` stands on a template's disks.

    `result.guest` is the new one's UUID. A full clone, or several, have children.
    """
    guest = access.guest(request.user, uuid, Right.CREATE)
    by, address = request.user, request.client_address
    return doors.accepted(services.clone(guest, body.wish(), by=by, address=address))


@router.put("{uuid:uuid}/template/", response=GuestOut, url_name="guest-template")
@door(Right.CHANGE)
def template(request: UserRequest, uuid: UUID, body: TemplateIn) -> dict[str, Any]:
    """Make it a template, which is protected and never started, or a guest again."""
    guest = access.guest(request.user, uuid, Right.CHANGE)
    change = templates.to_template if body.template else templates.to_guest
    change(guest, by=request.user, address=request.client_address)
    guest = access.guest(request.user, uuid, Right.CHANGE)
    return for_user(guest_json(guest), request.user)
