"""The API of balancing: the proposal, its run, rules, and the autopilot."""

from typing import Any

from ninja import Router
from ninja.responses import Status

from guests.balance import access, services
from guests.balance.balancing import Change, HostLoad
from guests.balance.models import Autopilot, PlacementRule
from guests.balance.schemas import (
    AutopilotOut,
    CourseIn,
    PlacementRuleIn,
    PlacementRuleOut,
    ProposalOut,
    RunIn,
)
from kvmweb import doors
from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.requests import UserRequest
from kvmweb.operations.api import OperationOut
from kvmweb.operations.models import Operation

router = Router(tags=["balance"])


@router.get("proposal/", response=ProposalOut, url_name="balance-proposal")
@door(Right.SEE_HOSTS)
def proposal(request: UserRequest, tag: str = "") -> dict[str, Any]:
    """What would help now; nothing is moved by asking."""
    found = services.proposal(tag[:40])
    return {
        "moves": [_change(each) for each in found.changes],
        "gain_percent": found.gain_percent,
        "before": [_load(each) for each in found.before],
        "after": [_load(each) for each in found.after],
    }


@router.post("run/", response={202: OperationOut}, url_name="balance-run")
@door(Right.BALANCE)
def run(request: UserRequest, body: RunIn) -> Status[Operation]:
    """Make moves of the proposal; they are children of the operation."""
    chosen = [(str(each.guest), each.to_host) for each in body.moves]
    return doors.accepted(
        services.run(chosen, by=request.user, address=request.client_address)
    )


@router.get("rules/", response=list[PlacementRuleOut], url_name="balance-rules")
@door(Right.SEE_HOSTS)
def rules(request: UserRequest) -> list[PlacementRule]:
    """Where guests with tags belong."""
    return list(PlacementRule.objects.all())


@router.post("rules/", response={201: PlacementRuleOut}, url_name="balance-rules")
@door(Right.BALANCE)
def add_rule(request: UserRequest, body: PlacementRuleIn) -> Status[PlacementRule]:
    """Say where guests with a tag belong."""
    rule = PlacementRule(**body.model_dump())
    by, address = request.user, request.client_address
    return Status(201, services.add_rule(rule, by=by, address=address))


@router.delete("rules/{int:rule_id}/", response={204: None}, url_name="balance-rule")
@door(Right.BALANCE)
def remove_rule(request: UserRequest, rule_id: int) -> Status[None]:
    """Ask it of nobody any more."""
    rule = access.rule(request.user, rule_id, Right.BALANCE)
    services.remove_rule(rule, by=request.user, address=request.client_address)
    return Status(204, None)


@router.get("autopilots/", response=list[AutopilotOut], url_name="balance-autopilots")
@door(Right.SEE_HOSTS)
def autopilots(request: UserRequest) -> list[Autopilot]:
    """Where balancing runs by itself, and what it saw last."""
    return list(Autopilot.objects.all())


@router.put("autopilots/", response=AutopilotOut, url_name="balance-autopilots")
@door(Right.BALANCE)
def steer(request: UserRequest, body: CourseIn) -> Autopilot:
    """Let it run by itself for a tag or for all, or not."""
    told = body.model_dump()
    tag = told.pop("tag")
    course = services.Course(**told)
    return services.steer(tag, course, by=request.user, address=request.client_address)


def _change(change: Change) -> dict[str, Any]:
    move = change.move
    return {
        "guest": move.guest,
        "guest_name": move.name,
        "from_host": change.source,
        "from_host_name": change.source_name,
        "to_host": move.host,
        "to_host_name": move.host_name,
        "storage": move.offer.storage,
        "estimate": move.offer.as_json(),
        "why": list(move.why),
        "relief_cpus": change.relief_cpus,
    }


def _load(load: HostLoad) -> dict[str, Any]:
    return {
        "host": load.host,
        "name": load.name,
        "used_cpus": load.used_cpus,
        "waiting_cpus": load.waiting_cpus,
        "memory_percent": 100 * load.memory_share,
    }
