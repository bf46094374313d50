"""The API of pools and volumes."""

from dataclasses import replace
from typing import Any

from django.http import HttpResponse
from ninja import Query, Router
from ninja.responses import Status

from hosts import access
from hosts.models import Volume
from hosts.storage import content, pool_services, queries, services
from hosts.storage.json import pool_json, volume_json, volumes_json
from hosts.storage.schemas import (
    CopyIn,
    DeleteQuery,
    FetchIn,
    PoolIn,
    PoolOut,
    PoolPatch,
    VolumeIn,
    VolumeOut,
    VolumePatch,
    VolumeQuery,
)
from kvmweb import doors
from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.requests import UserRequest
from kvmweb.operations.api import OperationOut
from kvmweb.operations.models import Operation

router = Router(tags=["storage"])  # below hosts/
parts = Router(tags=["storage"])  # below the root: pools/ and volumes/

_POOLS = {"name": "name", "type": ("type", "name")}
_BINARY = {
    "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}
}


@router.get("{int:host_id}/pools/", response=doors.Page[PoolOut], url_name="host-pools")
@door(Right.SEE_HOSTS)
def pools(
    request: UserRequest, host_id: int, query: Query[doors.PageQuery]
) -> dict[str, Any]:
    """The storage pools of a host."""
    host = access.host(request.user, host_id, Right.SEE_HOSTS)
    rows = queries.pools(host)
    page = doors.paged(rows, query, ordering=_POOLS, search=["name", "target"])
    return page | {"items": [pool_json(pool) for pool in page["items"]]}


@router.post(
    "{int:host_id}/pools/", response={202: OperationOut}, url_name="host-pools"
)
@door(Right.MANAGE_POOLS)
def define(request: UserRequest, host_id: int, body: PoolIn) -> Status[Operation]:
    """Make a pool and start it; `result.pool` is its id."""
    return doors.accepted(
        pool_services.define(
            access.host(request.user, host_id, Right.MANAGE_POOLS),
            body.wish(),
            autostart=body.autostart,
            build=body.build,
            by=request.user,
            address=request.client_address,
        )
    )


@router.get(
    "{int:host_id}/volumes/", response=doors.Page[VolumeOut], url_name="host-volumes"
)
@door(Right.SEE_HOSTS)
def host_volumes(
    request: UserRequest, host_id: int, query: Query[VolumeQuery]
) -> dict[str, Any]:
    """The volumes of all pools of a host; `unused=true`: those that nobody uses."""
    host = access.host(request.user, host_id, Right.SEE_HOSTS)
    return _volumes(Volume.objects.filter(pool__host=host), query)


@parts.get("pools/{int:pool_id}/", response=PoolOut, url_name="pool")
@door(Right.SEE_HOSTS)
def pool(request: UserRequest, pool_id: int) -> dict[str, Any]:
    """One pool."""
    found = access.pool(request.user, pool_id, Right.SEE_HOSTS)
    return pool_json(queries.one(found))


@parts.patch("pools/{int:pool_id}/", response={202: OperationOut}, url_name="pool")
@door(Right.MANAGE_POOLS)
def edit_pool(request: UserRequest, pool_id: int, body: PoolPatch) -> Status[Operation]:
    """Whether it starts with its host."""
    found = access.pool(request.user, pool_id, Right.MANAGE_POOLS)
    by, address = request.user, request.client_address
    return doors.accepted(
        pool_services.set_autostart(
            found, enabled=body.autostart, by=by, address=address
        )
    )


@parts.delete("pools/{int:pool_id}/", response={202: OperationOut}, url_name="pool")
@door(Right.MANAGE_POOLS)
def delete_pool(request: UserRequest, pool_id: int) -> Status[Operation]:
    """Have its host forget a pool; what lies in it stays. Refused while it is used."""
    found = access.pool(request.user, pool_id, Right.MANAGE_POOLS)
    by, address = request.user, request.client_address
    return doors.accepted(pool_services.delete(found, by=by, address=address))


@parts.post(
    "pools/{int:pool_id}/start/", response={202: OperationOut}, url_name="pool-start"
)
@door(Right.MANAGE_POOLS)
def start_pool(request: UserRequest, pool_id: int) -> Status[Operation]:
    """Make its volumes there for guests."""
    found = access.pool(request.user, pool_id, Right.MANAGE_POOLS)
    by, address = request.user, request.client_address
    return doors.accepted(pool_services.start(found, by=by, address=address))


@parts.post(
    "pools/{int:pool_id}/stop/", response={202: OperationOut}, url_name="pool-stop"
)
@door(Right.MANAGE_POOLS)
def stop_pool(request: UserRequest, pool_id: int) -> Status[Operation]:
    """Take its volumes away. Refused while anybody uses one."""
    found = access.pool(request.user, pool_id, Right.MANAGE_POOLS)
    by, address = request.user, request.client_address
    return doors.accepted(pool_services.stop(found, by=by, address=address))


@parts.post(
    "pools/{int:pool_id}/refresh/",
    response={202: OperationOut},
    url_name="pool-refresh",
)
@door(Right.MANAGE_VOLUMES)
def refresh_pool(request: UserRequest, pool_id: int) -> Status[Operation]:
    """Have the host look again at what is in it."""
    found = access.pool(request.user, pool_id, Right.MANAGE_VOLUMES)
    by, address = request.user, request.client_address
    return doors.accepted(pool_services.refresh(found, by=by, address=address))


@parts.get(
    "pools/{int:pool_id}/volumes/",
    response=doors.Page[VolumeOut],
    url_name="pool-volumes",
)
@door(Right.SEE_HOSTS)
def volumes(
    request: UserRequest, pool_id: int, query: Query[VolumeQuery]
) -> dict[str, Any]:
    """The volumes of a pool, without those in the trash unless asked for."""
    found = access.pool(request.user, pool_id, Right.SEE_HOSTS)
    return _volumes(found.volumes.all(), query)


@parts.post(
    "pools/{int:pool_id}/volumes/",
    response={202: OperationOut},
    url_name="pool-volumes",
)
@door(Right.MANAGE_VOLUMES)
def create(request: UserRequest, pool_id: int, body: VolumeIn) -> Status[Operation]:
    """Make an empty volume; `result.volume` is its id."""
    found = access.pool(request.user, pool_id, Right.MANAGE_VOLUMES)
    new = body.new()
    if body.backing is not None:
        below = access.volume(request.user, body.backing, Right.MANAGE_VOLUMES)
        new = replace(new, backing=below)
    by, address = request.user, request.client_address
    return doors.accepted(services.create(found, new, by=by, address=address))


@parts.get("volumes/{int:volume_id}/", response=VolumeOut, url_name="volume")
@door(Right.SEE_HOSTS)
def volume(request: UserRequest, volume_id: int) -> dict[str, Any]:
    """One volume."""
    return volume_json(access.volume(request.user, volume_id, Right.SEE_HOSTS))


@parts.patch(
    "volumes/{int:volume_id}/", response={202: OperationOut}, url_name="volume"
)
@door(Right.MANAGE_VOLUMES)
def grow(request: UserRequest, volume_id: int, body: VolumePatch) -> Status[Operation]:
    """Make a volume larger."""
    found = access.volume(request.user, volume_id, Right.MANAGE_VOLUMES)
    by, address = request.user, request.client_address
    return doors.accepted(
        services.grow(found, body.capacity_bytes, by=by, address=address)
    )


@parts.delete(
    "volumes/{int:volume_id}/", response={202: OperationOut}, url_name="volume"
)
@door(Right.MANAGE_VOLUMES)
def delete(
    request: UserRequest, volume_id: int, query: Query[DeleteQuery]
) -> Status[Operation]:
    """Put a volume into the trash, or delete it `now`. Refused while anybody uses it."""
    found = access.volume(request.user, volume_id, Right.MANAGE_VOLUMES)
    by, address = request.user, request.client_address
    return doors.accepted(services.delete(found, now=query.now, by=by, address=address))


@parts.post(
    "volumes/{int:volume_id}/restore/", response=VolumeOut, url_name="volume-restore"
)
@door(Right.MANAGE_VOLUMES)
def restore(request: UserRequest, volume_id: int) -> dict[str, Any]:
    """Take a volume out of the trash."""
    found = access.volume(request.user, volume_id, Right.MANAGE_VOLUMES)
    by, address = request.user, request.client_address
    return volume_json(services.restore(found, by=by, address=address))


@parts.post(
    "volumes/{int:volume_id}/clone/",
    response={202: OperationOut},
    url_name="volume-clone",
)
@door(Right.MANAGE_VOLUMES)
def clone(request: UserRequest, volume_id: int, body: CopyIn) -> Status[Operation]:
    """Make a full copy, in another format if asked; `result.volume` is its id."""
    found = access.volume(request.user, volume_id, Right.MANAGE_VOLUMES)
    copy = body.copy_in()
    if body.pool is not None:
        home = access.pool(request.user, body.pool, Right.MANAGE_VOLUMES)
        copy = replace(copy, pool=home)
    by, address = request.user, request.client_address
    return doors.accepted(services.clone(found, copy, by=by, address=address))


parts.post(
    "volumes/{int:volume_id}/convert/",
    response={202: OperationOut},
    url_name="volume-convert",
    operation_id="storage_convert",
)(clone)


@parts.post(
    "volumes/{int:volume_id}/fetch/",
    response={202: OperationOut},
    url_name="volume-fetch",
)
@door(Right.MANAGE_POOLS)
def fetch(request: UserRequest, volume_id: int, body: FetchIn) -> Status[Operation]:
    """Replace what is in a volume by a file of the web, if its checksum is right."""
    found = access.volume(request.user, volume_id, Right.MANAGE_POOLS)
    by, address = request.user, request.client_address
    return doors.accepted(
        services.fetch(found, body.url, sha256=body.sha256, by=by, address=address)
    )


@parts.put(
    "volumes/{int:volume_id}/content/",
    response={202: OperationOut},
    url_name="volume-content",
    openapi_extra={"requestBody": {"required": True, "content": _BINARY}},
)
@door(Right.MANAGE_VOLUMES)
def fill(
    request: UserRequest, volume_id: int, response: HttpResponse
) -> Status[Operation]:
    """Replace what is in a volume by the body, which is streamed to its host.

    Answered when the host has all of it; it is ready when the operation has ended.
    Without a Content-Length it may come in chunks.
    """
    found = access.volume(request.user, volume_id, Right.MANAGE_VOLUMES)
    content.need_stream(request)
    operation = services.upload(
        found,
        length_bytes=content.length_of(request),
        by=request.user,
        address=request.client_address,
    )
    content.name(operation, response)
    return doors.accepted(operation)


@parts.get(
    "volumes/{int:volume_id}/content/",
    url_name="volume-content",
    openapi_extra={
        "responses": {200: {"description": "The bytes.", "content": _BINARY}}
    },
)
@door(Right.MANAGE_VOLUMES)
def read(request: UserRequest, volume_id: int) -> HttpResponse:
    """What is in a volume, as it lies there, streamed from its host."""
    found = access.volume(request.user, volume_id, Right.MANAGE_VOLUMES)
    content.need_stream(request)
    by, address = request.user, request.client_address
    operation = services.download(found, by=by, address=address)
    return content.file(operation, found.name)


def _volumes(rows: Any, query: VolumeQuery) -> dict[str, Any]:
    found = queries.volumes(rows, state=query.state, unused=query.unused)
    page = doors.paged(
        found, query, ordering=queries.ORDERINGS, search=queries.SEARCHED
    )
    return page | {"items": volumes_json(page["items"])}
