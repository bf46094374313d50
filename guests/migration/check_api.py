"""The API's answer to: may it move, where to, and what will it cost?"""

from typing import Any
from uuid import UUID

from ninja import Router, Schema
from ninja.responses import Status
from pydantic import Field

from guests import access
from guests.migration import asking, questions
from guests.migration.board import Check
from guests.migration.sides import Reason
from hosts.access import host as host_of
from hosts.json import moment
from hosts.models import Host
from kvmweb import doors
from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.requests import UserRequest
from kvmweb.operations.api import OperationOut
from kvmweb.operations.models import Operation

router = Router(tags=["guests"])


class ReasonOut(Schema):
    """Why not, and what would mend it."""

    code: str
    message: str
    fix: str


class EstimateOut(Schema):
    """What the move is expected to cost."""

    seconds: float
    downtime_ms: int
    bytes: int
    converges: bool
    why: str


class MoveCheckOut(Schema):
    """One host. `ok` is that there are no reasons; notes stop nothing."""

    host: int
    host_name: str
    ok: bool
    storage: str
    reasons: list[ReasonOut]
    notes: list[ReasonOut]
    estimate: EstimateOut
    asked_at: str | None


class MoveChecksOut(Schema):
    """Every host, by name."""

    hosts: list[MoveCheckOut]


class CheckNowIn(doors.Strict):
    """Which host to ask; without one, all that are up."""

    host: int | None = Field(default=None, ge=1, lt=2**63)


@router.get(
    "{uuid:uuid}/migration-check/",
    response=MoveChecksOut,
    url_name="guest-migration-check",
)
@door(Right.MIGRATE)
def migration_check(
    request: UserRequest, uuid: UUID, host: int | None = None
) -> dict[str, Any]:
    """Whether the guest may move to each host, or to this one, and what it would cost."""
    guest = access.guest(request.user, uuid, Right.MIGRATE)
    hosts: list[Host] | None = None
    if host is not None:
        hosts = [host_of(request.user, host, Right.SEE_HOSTS)]
    found = questions.checks([guest], hosts)[guest.pk]
    shown = [each for each in found if hosts or each.host.pk != guest.host_id]
    return {"hosts": [check_json(each) for each in shown]}


@router.post(
    "{uuid:uuid}/migration-check/",
    response={202: OperationOut},
    url_name="guest-migration-check",
)
@door(Right.MIGRATE)
def check_now(request: UserRequest, uuid: UUID, body: CheckNowIn) -> Status[Operation]:
    """Ask both hosts now; what they say is kept and told by the next GET."""
    guest = access.guest(request.user, uuid, Right.MIGRATE)
    hosts = []
    if body.host is not None:
        hosts = [host_of(request.user, body.host, Right.SEE_HOSTS)]
    by, address = request.user, request.client_address
    return doors.accepted(asking.check_now(guest, hosts, by=by, address=address))


def check_json(check: Check) -> dict[str, Any]:
    """One host, as the API says it."""
    cost = check.estimate
    return {
        "host": check.host.pk,
        "host_name": check.host.name,
        "ok": check.ok,
        "storage": "copy" if check.storage == "copy" else "shared",
        "reasons": [_reason(each) for each in check.reasons],
        "notes": [_reason(each) for each in check.notes],
        "estimate": cost.as_json() | {"why": cost.why},
        "asked_at": moment(check.asked_at),
    }


def _reason(reason: Reason) -> dict[str, str]:
    return {"code": reason.code, "message": reason.message, "fix": reason.fix}
