"""An image as the API says it."""

from typing import Any

from guests.images.models import Image, ImageCopy
from hosts.json import moment


def image_json(image: Image) -> dict[str, Any]:
    """One image with where it is; needs a row of `queries.with_copies`."""
    return {
        "id": image.pk,
        "name": image.name,
        "version": image.version,
        "os": image.os,
        "cloud_init": image.cloud_init,
        "min_disk_bytes": image.min_disk_bytes,
        "note": image.note,
        "offered": image.offered,
        "state": image.state,
        "problem": image.problem,
        "operation": str(image.operation) if image.operation else None,
        "format": image.format,
        "sha256": image.sha256,
        "size_bytes": image.size_bytes,
        "virtual_size_bytes": image.virtual_size_bytes,
        "author": image.author,
        "created_at": moment(image.created_at),
        "copies": [_copy(each) for each in image.copies.all()],
        "url": f"/api/v1/images/{image.pk}/",
        "page": image.get_absolute_url(),
    }


def _copy(copy: ImageCopy) -> dict[str, Any]:
    return {
        "host": copy.host_id,
        "host_name": copy.host.name,
        "pool": copy.pool_id,
        "pool_name": copy.pool.name if copy.pool else "",
        "path": copy.path,
        "state": copy.state,
    }
