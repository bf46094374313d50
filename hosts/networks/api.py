"""The API of networks, and of what else a host has around its guests."""

from typing import Any

from ninja import Query, Router
from ninja.responses import Status

from hosts import access
from hosts import queries as host_queries
from hosts.json import network_json
from hosts.models import HostDevice, NetworkFilter
from hosts.networks import queries, services
from hosts.networks.schemas import (
    CapabilitiesOut,
    FilterOut,
    HostDeviceOut,
    LeaseIn,
    NetworkIn,
    NetworkPatch,
    StopIn,
)
from hosts.shapes import NetworkOut
from kvmweb import doors
from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.requests import UserRequest
from kvmweb.operations.api import OperationOut
from kvmweb.operations.models import Operation

router = Router(tags=["hosts"])  # below hosts/
parts = Router(tags=["hosts"])  # below the root: networks/

_PARTS = {"name": "name"}
_DEVICES = {"name": "name", "kind": ("kind", "name")}


@router.get(
    "{int:host_id}/networks/", response=doors.Page[NetworkOut], url_name="host-networks"
)
@door(Right.SEE_HOSTS)
def listing(
    request: UserRequest, host_id: int, query: Query[doors.PageQuery]
) -> dict[str, Any]:
    """The virtual networks of a host."""
    host = access.host(request.user, host_id, Right.SEE_HOSTS)
    rows = host_queries.networks(host)
    page = doors.paged(rows, query, ordering=_PARTS, search=["name", "bridge", "cidr"])
    return page | {"items": [network_json(network) for network in page["items"]]}


@router.post(
    "{int:host_id}/networks/", response={202: OperationOut}, url_name="host-networks"
)
@door(Right.MANAGE_NETWORKS)
def create(request: UserRequest, host_id: int, body: NetworkIn) -> Status[Operation]:
    """Make a network and bring it up; `result.network` is its id."""
    return doors.accepted(
        services.create(
            access.host(request.user, host_id, Right.MANAGE_NETWORKS),
            body.wish(),
            autostart=body.autostart,
            by=request.user,
            address=request.client_address,
        )
    )


@router.get(
    "{int:host_id}/devices/",
    response=doors.Page[HostDeviceOut],
    url_name="host-devices",
)
@door(Right.SEE_HOSTS)
def devices(
    request: UserRequest, host_id: int, query: Query[doors.PageQuery]
) -> dict[str, Any]:
    """The USB and PCI devices of a host."""
    host = access.host(request.user, host_id, Right.SEE_HOSTS)
    rows = queries.devices(host)
    page = doors.paged(
        rows, query, ordering=_DEVICES, search=["name", "vendor", "product"]
    )
    return page | {"items": [_device(each) for each in page["items"]]}


@router.get(
    "{int:host_id}/filters/", response=doors.Page[FilterOut], url_name="host-filters"
)
@door(Right.SEE_HOSTS)
def filters(
    request: UserRequest, host_id: int, query: Query[doors.PageQuery]
) -> dict[str, Any]:
    """The packet filters that a host has for its guests' network cards."""
    host = access.host(request.user, host_id, Right.SEE_HOSTS)
    page = doors.paged(queries.filters(host), query, ordering=_PARTS, search=["name"])
    return page | {"items": [_filter(each) for each in page["items"]]}


@router.get(
    "{int:host_id}/capabilities/",
    response=CapabilitiesOut,
    url_name="host-capabilities",
)
@door(Right.SEE_HOSTS)
def capabilities(request: UserRequest, host_id: int) -> dict[str, Any]:
    """What a host can give to guests, pools and networks."""
    host = access.host(request.user, host_id, Right.SEE_HOSTS)
    return {**host.capabilities, "interfaces": host.interfaces}


@parts.get("networks/{int:network_id}/", response=NetworkOut, url_name="network")
@door(Right.SEE_HOSTS)
def detail(request: UserRequest, network_id: int) -> dict[str, Any]:
    """One network."""
    return network_json(access.network(request.user, network_id, Right.SEE_HOSTS))


@parts.patch(
    "networks/{int:network_id}/", response={202: OperationOut}, url_name="network"
)
@door(Right.MANAGE_NETWORKS)
def change(
    request: UserRequest, network_id: int, body: NetworkPatch
) -> Status[Operation]:
    """Change a network; `result.in_force` is false where it waits for its next start."""
    network = access.network(request.user, network_id, Right.MANAGE_NETWORKS)
    by, address = request.user, request.client_address
    return doors.accepted(services.change(network, body.said(), by=by, address=address))


@parts.delete(
    "networks/{int:network_id}/", response={202: OperationOut}, url_name="network"
)
@door(Right.MANAGE_NETWORKS)
def delete(request: UserRequest, network_id: int) -> Status[Operation]:
    """Take a network down and forget it; refused while a guest uses it."""
    network = access.network(request.user, network_id, Right.MANAGE_NETWORKS)
    by, address = request.user, request.client_address
    return doors.accepted(services.delete(network, by=by, address=address))


@parts.post(
    "networks/{int:network_id}/start/",
    response={202: OperationOut},
    url_name="network-start",
)
@door(Right.MANAGE_NETWORKS)
def start(request: UserRequest, network_id: int) -> Status[Operation]:
    """Bring a network up."""
    network = access.network(request.user, network_id, Right.MANAGE_NETWORKS)
    by, address = request.user, request.client_address
    return doors.accepted(services.start(network, by=by, address=address))


@parts.post(
    "networks/{int:network_id}/stop/",
    response={202: OperationOut},
    url_name="network-stop",
)
@door(Right.MANAGE_NETWORKS)
def stop(request: UserRequest, network_id: int, body: StopIn) -> Status[Operation]:
    """Take a network down; running guests on it keep it up unless `force`."""
    network = access.network(request.user, network_id, Right.MANAGE_NETWORKS)
    by, address = request.user, request.client_address
    return doors.accepted(
        services.stop(network, force=body.force, by=by, address=address)
    )


@parts.post(
    "networks/{int:network_id}/leases/",
    response={202: OperationOut},
    url_name="network-leases",
)
@door(Right.MANAGE_NETWORKS)
def fix_lease(
    request: UserRequest, network_id: int, body: LeaseIn
) -> Status[Operation]:
    """Give a network card always the same address, from now on."""
    return doors.accepted(
        services.fix_lease(
            access.network(request.user, network_id, Right.MANAGE_NETWORKS),
            body.mac,
            body.address,
            body.name,
            by=request.user,
            address=request.client_address,
        )
    )


@parts.delete(
    "networks/{int:network_id}/leases/{str:mac}/",
    response={202: OperationOut},
    url_name="network-lease",
)
@door(Right.MANAGE_NETWORKS)
def free_lease(request: UserRequest, network_id: int, mac: str) -> Status[Operation]:
    """Let a network card have any address again."""
    network = access.network(request.user, network_id, Right.MANAGE_NETWORKS)
    by, address = request.user, request.client_address
    return doors.accepted(services.free_lease(network, mac, by=by, address=address))


def _device(device: HostDevice) -> dict[str, Any]:
    return {
        "id": device.pk,
        "host": device.host_id,
        "name": device.name,
        "kind": device.kind,
        "vendor": device.vendor,
        "product": device.product,
        "vendor_id": device.vendor_id,
        "product_id": device.product_id,
        "address": device.address,
        "driver": device.driver,
        "iommu_group": device.iommu_group,
    }


def _filter(found: NetworkFilter) -> dict[str, Any]:
    return {"id": found.pk, "host": found.host_id, "name": found.name}
