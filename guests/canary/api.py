"""The API of the canary: the same gate and the same services as its page."""

from typing import Any

from ninja import Router
from ninja.responses import Status

from guests.canary import queries, services
from guests.canary.shapes import CanaryOut, ScheduleIn, canary_json
from kvmweb import doors
from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.requests import UserRequest
from kvmweb.operations.api import OperationOut
from kvmweb.operations.models import Operation

router = Router(tags=["moves"])


@router.get("", response=CanaryOut, url_name="canary")
@door(Right.SEE_HOSTS)
def canary(request: UserRequest) -> dict[str, Any]:
    """What was proved of each way between hosts, when, how fast, and what broke."""
    return canary_json(queries.board())


@router.put("", response=CanaryOut, url_name="canary")
@door(Right.MANAGE_HOSTS)
def schedule(request: UserRequest, body: ScheduleIn) -> dict[str, Any]:
    """Whether a canary flies each night, and at which hour (UTC)."""
    services.schedule(
        enabled=body.enabled,
        hour=body.hour,
        by=request.user,
        address=request.client_address,
    )
    return canary_json(queries.board())


@router.post("run/", response={202: OperationOut}, url_name="canary-run")
@door(Right.MIGRATE)
def run(request: UserRequest) -> Status[Operation]:
    """Have a canary fly every way now."""
    return doors.accepted(services.run(by=request.user, address=request.client_address))
