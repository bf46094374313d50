"""The API of what people can ask for."""

from typing import Any

from ninja import Query, Router, Schema
from pydantic import Field

from guests.images.models import Image
from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.requests import UserRequest
from portal.catalogue import queries
from portal.flavors.schemas import FlavorOut, flavor_json
from portal.projects import access

router = Router(tags=["projects"])


class CatalogueQuery(Schema):
    """What can be asked for in which project; without one: in any of one's own."""

    project: int | None = Field(None, ge=1, le=2**62)


class OfferedImage(Schema):
    """An image that guests can be made of, and what it is for."""

    id: int
    name: str
    version: str
    os: str
    note: str
    cloud_init: bool
    min_disk_bytes: int


class CatalogueOut(Schema):
    """What can be asked for; networks only where a project was named."""

    flavors: list[FlavorOut]
    images: list[OfferedImage]
    networks: list[str]


@router.get("", response=CatalogueOut, url_name="catalogue")
@door(Right.SIGNED_IN)
def catalogue(request: UserRequest, query: Query[CatalogueQuery]) -> dict[str, Any]:
    """Flavors, images and networks that can be asked for."""
    project = None
    if query.project is not None:
        project = access.project(request.user, query.project, Right.SEE)
    found = queries.catalogue(request.user, project)
    return {
        "flavors": [flavor_json(each) for each in found.flavors],
        "images": [_image(each) for each in found.images],
        "networks": found.networks,
    }


def _image(image: Image) -> dict[str, Any]:
    return {
        "id": image.pk,
        "name": image.name,
        "version": image.version,
        "os": image.os,
        "note": image.note,
        "cloud_init": image.cloud_init,
        "min_disk_bytes": image.min_disk_bytes,
    }
