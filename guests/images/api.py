"""The API of images."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.http import HttpResponse
from ninja import Query, Router
from ninja.responses import Status

from guests.images import access, queries, services
from guests.images.json import image_json
from guests.images.schemas import (
    CopiesQuery,
    ImageIn,
    ImageOut,
    ImagePatch,
    ImageQuery,
)
from guests.images.services import Upload
from hosts import access as host_access
from hosts.storage import content
from kvmweb import doors
from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.requests import UserRequest
from kvmweb.errors import Invalid, NotFound
from kvmweb.operations.api import OperationOut
from kvmweb.operations.models import Operation

router = Router(tags=["images"])

_BINARY = {
    "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}
}


@router.get("", response=doors.Page[ImageOut], url_name="images")
@door(Right.SEE_HOSTS)
def listing(request: UserRequest, query: Query[ImageQuery]) -> dict[str, Any]:
    """Images by name, each with the hosts that have it."""
    rows = queries.listing(request.user)
    if query.state:
        rows = rows.filter(state=query.state)
    page = doors.paged(rows, query, ordering=queries.ORDERINGS, search=queries.SEARCHED)
    return page | {"items": [image_json(image) for image in page["items"]]}


@router.post("", response={202: OperationOut}, url_name="images")
@door(Right.MANAGE_IMAGES)
def add(request: UserRequest, body: ImageIn) -> Status[Operation]:
    """Make an image of a volume, or one that waits for its content.

    `result.image` is its id. For an upload: when this operation has ended PUT the file
    to `images/ID/content/`; what came is registered by itself, or at once by POST
    `images/ID/register/`.
    """
    by, address = request.user, request.client_address
    said = body.source
    if said.upload is not None:
        told = said.upload
        with _named("source"):
            pool = host_access.pool(by, told.pool, Right.MANAGE_IMAGES)
        wanted = Upload(pool, told.format, told.name, told.size_bytes)
        _, operation = services.add_upload(body.about(), wanted, by=by, address=address)
        return doors.accepted(operation)
    with _named("source"):
        volume = host_access.volume(by, said.volume or 0, Right.MANAGE_IMAGES)
    return doors.accepted(services.add(body.about(), volume, by=by, address=address))


@router.get("{int:image_id}/", response=ImageOut, url_name="image")
@door(Right.SEE_HOSTS)
def detail(request: UserRequest, image_id: int) -> dict[str, Any]:
    """One image."""
    image = access.image(request.user, image_id, Right.SEE_HOSTS)
    return image_json(queries.one(image))


@router.patch("{int:image_id}/", response=ImageOut, url_name="image")
@door(Right.MANAGE_IMAGES)
def edit(request: UserRequest, image_id: int, body: ImagePatch) -> dict[str, Any]:
    """Say something else of it: name, version, system, cloud-init, least disk."""
    image = access.image(request.user, image_id, Right.MANAGE_IMAGES)
    by, address = request.user, request.client_address
    services.edit(image, body.about(image), by=by, address=address)
    return image_json(queries.one(image))


@router.delete(
    "{int:image_id}/", response={202: OperationOut, 204: None}, url_name="image"
)
@door(Right.MANAGE_IMAGES)
def delete(
    request: UserRequest, image_id: int, query: Query[CopiesQuery]
) -> Status[Operation] | Status[None]:
    """Forget it; `copies=delete` also deletes what was copied to hosts for it.

    204 when no host has to do anything. Refused while a guest's disk stands on a copy
    that is to be deleted.
    """
    image = access.image(request.user, image_id, Right.MANAGE_IMAGES)
    operation = services.delete(
        image,
        copies=query.copies == "delete",
        by=request.user,
        address=request.client_address,
    )
    return doors.accepted(operation) if operation else Status(204, None)


@router.put(
    "{int:image_id}/content/",
    response={202: OperationOut},
    url_name="image-content",
    openapi_extra={"requestBody": {"required": True, "content": _BINARY}},
)
@door(Right.MANAGE_IMAGES)
def fill(
    request: UserRequest, image_id: int, response: HttpResponse
) -> Status[Operation]:
    """The content of an image that waits for it, streamed to its host."""
    content.need_stream(request)
    image = access.image(request.user, image_id, Right.MANAGE_IMAGES)
    operation = services.upload(
        image,
        length_bytes=content.length_of(request),
        by=request.user,
        address=request.client_address,
    )
    content.name(operation, response)
    return doors.accepted(operation)


@router.post(
    "{int:image_id}/register/",
    response={202: OperationOut},
    url_name="image-register",
)
@door(Right.MANAGE_IMAGES)
def register(request: UserRequest, image_id: int) -> Status[Operation]:
    """Have the uploaded content read and checked now."""
    image = access.image(request.user, image_id, Right.MANAGE_IMAGES)
    by, address = request.user, request.client_address
    return doors.accepted(services.register(image, by=by, address=address))


@contextmanager
def _named(field: str) -> Iterator[None]:
    """What the block does not find was named in the body: bad input, not an address."""
    try:
        yield
    except NotFound as error:
        raise Invalid(error.detail, errors={field: [error.detail]}) from error
