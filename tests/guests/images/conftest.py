"""A host with a pool and volumes as rows, and images of them."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from guests.images.models import Image, ImageCopy
from hosts.models import Host, Pool, Volume

GIB = 1024**3


@pytest.fixture
def pool_on(db: None) -> Callable[..., Pool]:
    """Makes hosts that are up, each with a pool: `pool_on("kvm1")`."""

    def make(name: str, **about: Any) -> Pool:
        host = Host.objects.create(name=name, transport="test", state=Host.State.UP)
        plain: dict[str, Any] = {
            "host": host,
            "uuid": uuid4(),
            "name": "default",
            "type": "dir",
            "active": True,
            "autostart": True,
            "persistent": True,
            "target": f"/images/{name}",
            "capacity_bytes": 100 * GIB,
            "available_bytes": 50 * GIB,
        }
        return Pool.objects.create(**plain | about)

    return make


@pytest.fixture
def pool(pool_on: Callable[..., Pool]) -> Pool:
    """One of them."""
    return pool_on("kvm1")


@pytest.fixture
def volume(pool: Pool) -> Volume:
    """A qcow2 volume in it."""
    return volume_in(pool)


def volume_in(pool: Pool, name: str = "base.qcow2", **about: Any) -> Volume:
    """A volume of a pool."""
    path = f"{pool.target}/{name}"
    plain: dict[str, Any] = {
        "pool": pool,
        "name": name,
        "key": path,
        "path": path,
        "format": "qcow2",
        "capacity_bytes": 2 * GIB,
    }
    return Volume.objects.create(**plain | about)


def image_of(volume: Volume, name: str = "Debian", **about: Any) -> Image:
    """A ready image whose content is this volume."""
    plain: dict[str, Any] = {
        "name": name,
        "state": Image.State.READY,
        "format": "qcow2",
        "sha256": "ab" * 32,
        "size_bytes": GIB,
        "virtual_size_bytes": 2 * GIB,
    }
    image = Image.objects.create(**plain | about)
    ImageCopy.objects.create(
        image=image,
        host=volume.pool.host,
        pool=volume.pool,
        path=volume.path,
        state=ImageCopy.State.READY,
        ours=about.get("state") != Image.State.READY,
    )
    return image
