"""The API of hosts, and of the pools, volumes and networks on them."""

from typing import Any

from ninja import Query, Router
from ninja.responses import Status

from hosts import access, queries, services
from hosts.json import host_json
from hosts.models import Host
from hosts.networks import api as networks
from hosts.shapes import (
    HostIn,
    HostOut,
    HostPatch,
    HostSeriesOut,
    MaintenanceIn,
)
from hosts.storage import api as storage
from kvmweb import doors, samples
from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.requests import UserRequest
from kvmweb.operations.api import OperationOut
from kvmweb.operations.models import Operation
from kvmweb.samples import Series

router = Router(tags=["hosts"])  # below hosts/
parts = Router(tags=["hosts"])  # below the root: pools/, volumes/, networks/
router.add_router("", networks.router)
parts.add_router("", networks.parts)
router.add_router("", storage.router)
parts.add_router("", storage.parts)


@router.get("", response=doors.Page[HostOut], url_name="hosts")
@door(Right.SEE_HOSTS)
def listing(request: UserRequest, query: Query[doors.PageQuery]) -> dict[str, Any]:
    """Hosts by name."""
    page = doors.paged(
        queries.listing(request.user),
        query,
        ordering=queries.ORDERINGS,
        search=queries.SEARCHED,
    )
    return page | {
        "items": [host_json(host) for host in queries.dressed(page["items"])]
    }


@router.post("", response={201: HostOut}, url_name="hosts")
@door(Right.MANAGE_HOSTS)
def add(request: UserRequest, body: HostIn) -> Status[dict[str, Any]]:
    """Add a host; it is checked and connected in the background."""
    host = services.add(body.wish(), by=request.user, address=request.client_address)
    return Status(201, _whole(host))


@router.get("{int:host_id}/", response=HostOut, url_name="host")
@door(Right.SEE_HOSTS)
def detail(request: UserRequest, host_id: int) -> dict[str, Any]:
    """One host."""
    return _whole(access.host(request.user, host_id, Right.SEE_HOSTS))


@router.patch("{int:host_id}/", response=HostOut, url_name="host")
@door(Right.MANAGE_HOSTS)
def edit(request: UserRequest, host_id: int, body: HostPatch) -> dict[str, Any]:
    """Change what is said of a host; reached in a new way, it is checked again."""
    host = access.host(request.user, host_id, Right.MANAGE_HOSTS)
    wish = body.wish(services.wish_of(host))
    by, address = request.user, request.client_address
    return _whole(services.edit(host, wish, by=by, address=address))


@router.delete("{int:host_id}/", response={204: None}, url_name="host")
@door(Right.MANAGE_HOSTS)
def remove(request: UserRequest, host_id: int) -> Status[None]:
    """Forget a host. Nothing on it changes; its guests are kept as gone."""
    host = access.host(request.user, host_id, Right.MANAGE_HOSTS)
    services.remove(host, by=request.user, address=request.client_address)
    return Status(204, None)


@router.post(
    "{int:host_id}/maintenance/",
    response={202: OperationOut},
    url_name="host-maintenance",
)
@door(Right.MANAGE_HOSTS)
def maintenance(
    request: UserRequest, host_id: int, body: MaintenanceIn
) -> Status[Operation]:
    """Keep new guests away from a host, or let them come again; move its guests away."""
    operation = services.set_maintenance(
        access.host(request.user, host_id, Right.MANAGE_HOSTS),
        enabled=body.enabled,
        evacuate=body.evacuate,
        ways=body.ways(),
        by=request.user,
        address=request.client_address,
    )
    return doors.accepted(operation)


@router.post(
    "{int:host_id}/check/", response={202: OperationOut}, url_name="host-check"
)
@door(Right.MANAGE_HOSTS)
def check(request: UserRequest, host_id: int) -> Status[Operation]:
    """Try step by step how a host can be reached; `result.steps` says what was seen."""
    host = access.host(request.user, host_id, Right.MANAGE_HOSTS)
    by, address = request.user, request.client_address
    return doors.accepted(services.check(host, by=by, address=address))


@router.get("{int:host_id}/stats/", response=HostSeriesOut, url_name="host-stats")
@door(Right.SEE_HOSTS)
def stats(request: UserRequest, host_id: int, range: str = "1h") -> Series:
    """A host's numbers over 1h, 6h, 1d, 7d, 30d or 1y."""
    host = access.host(request.user, host_id, Right.SEE_HOSTS)
    return samples.host_series(host.pk, range)


def _whole(host: Host) -> dict[str, Any]:
    return host_json(queries.dressed([queries.one(host)])[0])
