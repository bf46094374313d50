"""Pools and volumes as the API says them."""

from collections.abc import Iterable
from typing import Any

from django.urls import reverse

from hosts.json import moment
from hosts.models import Pool, Volume
from hosts.storage.queries import Shown, shown


def pool_json(pool: Pool) -> dict[str, Any]:
    """A storage pool; needs a row of `queries.counted`."""
    return {
        "id": pool.pk,
        "host": pool.host_id,
        "uuid": str(pool.uuid),
        "name": pool.name,
        "type": pool.type,
        "active": pool.active,
        "autostart": pool.autostart,
        "persistent": pool.persistent,
        "target": pool.target,
        "capacity_bytes": pool.capacity_bytes,
        "allocation_bytes": pool.allocation_bytes,
        "available_bytes": pool.available_bytes,
        "volumes_total": getattr(pool, "volumes_total", 0),
        "provisioned_bytes": getattr(pool, "provisioned_bytes", 0),
        "problem": pool.problem,
        "url": f"/api/v1/pools/{pool.pk}/",
        "page": reverse("pool", args=[pool.pk]),
    }


def volume_json(volume: Volume) -> dict[str, Any]:
    """One volume, whole."""
    return volumes_json([volume])[0]


def volumes_json(volumes: Iterable[Volume]) -> list[dict[str, Any]]:
    """Volumes, whole, in their order."""
    return [_volume(each) for each in shown(volumes)]


def _volume(each: Shown) -> dict[str, Any]:
    volume, held = each.volume, each.held
    url = f"/api/v1/volumes/{volume.pk}/"
    return {
        "id": volume.pk,
        "pool": volume.pool_id,
        "host": volume.pool.host_id,
        "name": volume.name,
        "key": volume.key,
        "path": volume.path,
        "format": each.format,
        "capacity_bytes": volume.capacity_bytes,
        "allocation_bytes": volume.allocation_bytes,
        "backing_path": volume.backing_path,
        "state": each.state,
        "due_at": moment(held.due_at) if held else None,
        "problem": held.problem if held else "",
        "used_by": [{"name": it.name, "guest": it.guest or None} for it in each.users],
        "url": url,
        "content_url": f"{url}content/",
    }
