"""The API of leases: the same gate and the same services as the pages."""

from typing import Any
from uuid import UUID

from ninja import Query, Router
from ninja.responses import Status

from guests import access as guests
from kvmweb import doors
from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.requests import UserRequest
from portal.leases import access, queries, services
from portal.leases.models import Lease
from portal.leases.schemas import (
    ExtendAllIn,
    ExtendIn,
    LeaseOut,
    LeasePatch,
    LeaseQuery,
    LeaseRuleIn,
    LeaseRuleOut,
    LendIn,
    RefusedOut,
    lent_json,
    policy_json,
)

router = Router(tags=["leases"])
of_guests = Router(tags=["leases"])
of_projects = Router(tags=["leases"])


@router.get("", response=doors.Page[LeaseOut], url_name="leases")
@door(Right.SEE)
def listing(request: UserRequest, query: Query[LeaseQuery]) -> dict[str, Any]:
    """The leases of the guests one sees, with how much those were used lately."""
    rows = queries.listing(request.user, query.filters())
    page = doors.paged(rows, query, ordering=queries.ORDERINGS)
    return page | {"items": [lent_json(each) for each in queries.lent(page["items"])]}


@router.post("", response={201: LeaseOut}, url_name="leases")
@door(Right.OPERATE)
def lend(request: UserRequest, body: LendIn) -> Status[dict[str, Any]]:
    """Give a guest an end that had none; for those who decide."""
    guest = guests.guest(request.user, body.guest, Right.OPERATE)
    by, address = request.user, request.client_address
    lease = services.lend(guest, body.days, by=by, address=address)
    return Status(201, _told(lease))


@router.post("extend/", response=RefusedOut, url_name="leases-extend")
@door(Right.OPERATE)
def extend_all(request: UserRequest, body: ExtendAllIn) -> dict[str, Any]:
    """Extend several by as many days; says which could not be, and why."""
    leases = [access.lease(request.user, each) for each in body.leases]
    by, address = request.user, request.client_address
    refused = services.extend_all(leases, body.days, by=by, address=address)
    return {"refused": refused}


@router.post("go-on/", response={204: None}, url_name="leases-go-on")
@door(Right.MANAGE_PROJECTS)
def go_on(request: UserRequest) -> Status[None]:
    """Say that these leases are true, after nobody looked at them for a while."""
    services.go_on(by=request.user, address=request.client_address)
    return Status(204, None)


@router.patch("{int:lease_id}/", response=LeaseOut, url_name="lease")
@door(Right.OPERATE)
def change(request: UserRequest, lease_id: int, body: LeasePatch) -> dict[str, Any]:
    """Set its end, or how long its guest is kept after it; for those who decide."""
    lease = access.lease(request.user, lease_id)
    by, address = request.user, request.client_address
    return _told(services.change(lease, body.terms(), by=by, address=address))


@of_guests.post("{uuid:uuid}/extend/", response=LeaseOut, url_name="guest-extend")
@door(Right.OPERATE)
def extend(request: UserRequest, uuid: UUID, body: ExtendIn) -> dict[str, Any]:
    """Let a guest stay longer, as far as the rule of its project goes."""
    guest = guests.guest(request.user, uuid, Right.OPERATE)
    by, address = request.user, request.client_address
    return _told(services.extend(guest.pk, body.days, by=by, address=address))


@of_projects.get(
    "{int:project_id}/lease-rule/", response=LeaseRuleOut, url_name="lease-rule"
)
@door(Right.MANAGE_PROJECTS)
def rule(request: UserRequest, project_id: int) -> dict[str, int]:
    """What members of a project may do with leases without asking."""
    project = access.project(request.user, project_id)
    return policy_json(queries.policy(project.pk))


@of_projects.put(
    "{int:project_id}/lease-rule/", response=LeaseRuleOut, url_name="lease-rule"
)
@door(Right.MANAGE_PROJECTS)
def set_rule(
    request: UserRequest, project_id: int, body: LeaseRuleIn
) -> dict[str, int]:
    """Say so."""
    project = access.project(request.user, project_id)
    by, address = request.user, request.client_address
    said = services.set_policy(project, body.rule(), by=by, address=address)
    return policy_json(said)


def _told(lease: Lease) -> dict[str, Any]:
    [lent] = queries.lent([lease])
    return lent_json(lent)
