"""Hosts of libvirt's test driver with a pool and a network, as a watcher left them."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from hosts.models import Host, Network, Pool, Volume

GIB = 1024**3
GUESTS = "/api/v1/guests/"


@pytest.fixture
def home_of(db: None) -> Callable[..., Host]:
    """Makes hosts that are up: 8 CPUs, 32 GiB, a pool and a network "default"."""

    def make(name: str, **columns: Any) -> Host:
        plain = {
            "transport": "test",
            "state": Host.State.UP,
            "arch": "i686",
            "virt_types": ["test"],
            "cpus": 8,
            "memory_bytes": 32 * GIB,
            "memory_free_bytes": 32 * GIB,
        }
        host = Host.objects.create(name=name, **(plain | columns))
        pool_of(host)
        network_of(host)
        return host

    return make


def pool_of(host: Host, name: str = "default", **columns: Any) -> Pool:
    """A pool of a host; the name and place are those of the test driver's own."""
    plain = {
        "uuid": uuid4(),
        "type": "dir",
        "active": True,
        "autostart": True,
        "persistent": True,
        "target": "/default-pool",
        "capacity_bytes": 100 * GIB,
        "available_bytes": 80 * GIB,
    }
    return Pool.objects.create(host=host, name=name, **(plain | columns))


def network_of(host: Host, name: str = "default", **columns: Any) -> Network:
    """A network of a host."""
    plain = {"uuid": uuid4(), "active": True, "autostart": True, "persistent": True}
    return Network.objects.create(host=host, name=name, **(plain | columns))


def volume_of(pool: Pool, name: str, **columns: Any) -> Volume:
    """A volume of a pool."""
    path = f"{pool.target}/{name}"
    plain = {"key": path, "path": path, "format": "qcow2", "capacity_bytes": 10 * GIB}
    return Volume.objects.create(pool=pool, name=name, **(plain | columns))


@pytest.fixture
def kvm1(home_of: Callable[..., Host]) -> Host:
    """A host that is up."""
    return home_of("kvm1")


@pytest.fixture
def kvm2(home_of: Callable[..., Host]) -> Host:
    """Another one."""
    return home_of("kvm2")


def body(**about: Any) -> dict[str, Any]:
    """A small guest with a blank disk and a card."""
    plain = {
        "name": "web",
        "vcpus": 2,
        "memory_bytes": 2 * GIB,
        "disks": [{"size_bytes": 10 * GIB}],
        "nics": [{"network": "default"}],
    }
    return plain | about


@pytest.fixture
def ask(admin_token: str, by_token: Callable[[str], Client]) -> Callable[..., Any]:
    """POSTs to guests/ as the admin."""

    def post(told: dict[str, Any], path: str = "", token: str = admin_token) -> Any:
        client = by_token(token)
        return client.post(f"{GUESTS}{path}", told, content_type="application/json")

    return post
