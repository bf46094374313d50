"""The API of convoys: the plan to empty a host, how one goes on, and the way home."""

from typing import Any
from uuid import UUID

from ninja import Router
from ninja.responses import Status

from guests.draining import access, services
from guests.draining.json import convoy_json, home_json, rehearsal_json
from guests.draining.schemas import (
    ConvoyOut,
    ConvoyPatch,
    ConvoyStopIn,
    EvacuationPlanOut,
    HomeOut,
    ReturnIn,
)
from hosts import access as host_access
from kvmweb import doors
from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.requests import UserRequest
from kvmweb.operations.api import OperationOut
from kvmweb.operations.models import Operation

router = Router(tags=["hosts"])  # below hosts/
convoys = Router(tags=["operations"])  # below operations/


@router.get(
    "{int:host_id}/evacuation-plan/",
    response=EvacuationPlanOut,
    url_name="host-evacuation-plan",
)
@door(Right.SEE_HOSTS)
def plan(request: UserRequest, host_id: int) -> dict[str, Any]:
    """What would happen if the host were emptied now; nothing is changed by asking."""
    host = host_access.host(request.user, host_id, Right.SEE_HOSTS)
    return rehearsal_json(services.rehearse(host))


@router.get("{int:host_id}/away/", response=list[HomeOut], url_name="host-away")
@door(Right.SEE_HOSTS)
def away(request: UserRequest, host_id: int) -> list[dict[str, Any]]:
    """The guests that left when the host was emptied and have not come home."""
    host = host_access.host(request.user, host_id, Right.SEE_HOSTS)
    return [home_json(home) for home in services.away(host)]


@router.delete("{int:host_id}/away/", response={204: None}, url_name="host-away")
@door(Right.MANAGE_HOSTS)
def forget(request: UserRequest, host_id: int) -> Status[None]:
    """Where they are now is their home from now on."""
    services.forget(host_access.host(request.user, host_id, Right.MANAGE_HOSTS))
    return Status(204, None)


@router.post(
    "{int:host_id}/bring-home/",
    response={202: OperationOut},
    url_name="host-bring-home",
)
@door(Right.MANAGE_HOSTS)
def bring_home(request: UserRequest, host_id: int, body: ReturnIn) -> Status[Operation]:
    """Move them back, and start what was stopped; the moves are children."""
    host = host_access.host(request.user, host_id, Right.MANAGE_HOSTS)
    return doors.accepted(
        services.bring_home(
            host,
            by=request.user,
            address=request.client_address,
            only=body.guests,
            per_target=body.per_target,
        )
    )


@convoys.get("{uuid:operation_id}/convoy/", response=ConvoyOut, url_name="convoy")
@door(Right.SEE_HOSTS)
def convoy(request: UserRequest, operation_id: UUID) -> dict[str, Any]:
    """Guest by guest: what was planned, and what became of it."""
    found, _ = access.convoy(request.user, operation_id, Right.SEE_HOSTS)
    return convoy_json(found)


@convoys.patch("{uuid:operation_id}/convoy/", response=ConvoyOut, url_name="convoy")
@door(Right.MANAGE_HOSTS)
def pause(
    request: UserRequest, operation_id: UUID, body: ConvoyPatch
) -> dict[str, Any]:
    """Begin nothing more for now, or go on."""
    found, _ = access.convoy(request.user, operation_id, Right.MANAGE_HOSTS)
    return convoy_json(services.pause(found, paused=body.paused))


@convoys.post(
    "{uuid:operation_id}/convoy/stop/",
    response={202: OperationOut},
    url_name="convoy-stop",
)
@door(Right.MANAGE_HOSTS)
def stop(
    request: UserRequest, operation_id: UUID, body: ConvoyStopIn
) -> Status[Operation]:
    """Begin nothing more; `gently` lets those end that were begun."""
    _, operation = access.convoy(request.user, operation_id, Right.MANAGE_HOSTS)
    by, address = request.user, request.client_address
    return doors.accepted(
        services.stop(operation, gently=body.gently, by=by, address=address)
    )
