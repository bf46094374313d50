"""The API of the inside of guests."""

from typing import Any
from uuid import UUID

from ninja import Router
from ninja.responses import Status

from guests import access
from guests.inside import queries, services
from guests.inside.schemas import InsideOut, KeysIn, PasswordIn
from hosts.json import moment
from kvmweb import doors
from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.requests import UserRequest
from kvmweb.errors import NotFound
from kvmweb.operations.api import OperationOut
from kvmweb.operations.models import Operation

router = Router(tags=["guests"])


@router.get("{uuid:uuid}/inside/", response=InsideOut, url_name="guest-inside")
@door(Right.SEE)
def report(request: UserRequest, uuid: UUID) -> dict[str, Any]:
    """What the guest's agent told when it was last asked, and when that was."""
    guest = access.guest(request.user, uuid, Right.SEE)
    found = queries.report(guest)
    if found is None:
        raise NotFound(
            f"Nobody has looked inside {guest.name} yet.",
            hint="POST here, and its agent is asked.",
        )
    return {**found.told, "at": moment(found.at)}


@router.post(
    "{uuid:uuid}/inside/", response={202: OperationOut}, url_name="guest-inside"
)
@door(Right.CHANGE)
def look(request: UserRequest, uuid: UUID) -> Status[Operation]:
    """Ask the guest's agent what is inside."""
    guest = access.guest(request.user, uuid, Right.CHANGE)
    by, address = request.user, request.client_address
    return doors.accepted(services.look(guest, by=by, address=address))


@router.post(
    "{uuid:uuid}/set-password/",
    response={202: OperationOut},
    url_name="guest-set-password",
)
@door(Right.CHANGE)
def set_password(
    request: UserRequest, uuid: UUID, body: PasswordIn
) -> Status[Operation]:
    """Give a user of the guest a new password, through its agent."""
    return doors.accepted(
        services.set_password(
            access.guest(request.user, uuid, Right.CHANGE),
            body.user,
            body.password.get_secret_value(),
            by=request.user,
            address=request.client_address,
        )
    )


@router.post(
    "{uuid:uuid}/ssh-keys/", response={202: OperationOut}, url_name="guest-ssh-keys"
)
@door(Right.CHANGE)
def add_ssh_keys(request: UserRequest, uuid: UUID, body: KeysIn) -> Status[Operation]:
    """Let public keys sign in as a user of the guest, through its agent."""
    return doors.accepted(
        services.add_ssh_keys(
            access.guest(request.user, uuid, Right.CHANGE),
            body.user,
            body.ssh_keys,
            by=request.user,
            address=request.client_address,
        )
    )


@router.post(
    "{uuid:uuid}/sync-time/", response={202: OperationOut}, url_name="guest-sync-time"
)
@door(Right.CHANGE)
def sync_time(request: UserRequest, uuid: UUID) -> Status[Operation]:
    """Set the guest's clock to ours, through its agent."""
    guest = access.guest(request.user, uuid, Right.CHANGE)
    by, address = request.user, request.client_address
    return doors.accepted(services.sync_time(guest, by=by, address=address))


@router.post(
    "{uuid:uuid}/agent-channel/",
    response={202: OperationOut},
    url_name="guest-agent-channel",
)
@door(Right.CHANGE)
def add_channel(request: UserRequest, uuid: UUID) -> Status[Operation]:
    """Give the guest a channel for an agent; `result.in_force` tells whether now."""
    guest = access.guest(request.user, uuid, Right.CHANGE)
    by, address = request.user, request.client_address
    return doors.accepted(services.add_channel(guest, by=by, address=address))
