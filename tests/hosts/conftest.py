"""Hosts as an admin adds them, and what they would say."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from hosts.models import Host
from kvmweb.virt import connection
from kvmweb.virt.types import (
    FullLook,
    HostFacts,
    NetworkFacts,
    NumaCell,
    PoolFacts,
    VolumeFacts,
)
from tests.hosts import volumes

HOST_XML = Path(__file__).parents[1] / "data/virt/host.xml"
ME = "watcher-1"
PRIVATE_KEY = (
    "-----BEGIN OPENSSH PRIVATE KEY-----\nplanted-key\n"
    "-----END OPENSSH PRIVATE KEY-----\n"
)


@pytest.fixture
def watched(db: None) -> Host:
    """A host this test's watcher has the lease of."""
    return Host.objects.create(name="kvm1", transport="test", watcher=ME)


@pytest.fixture(scope="module")
def no_children_stay() -> Iterator[None]:
    """What held the hosts of the tests ends with them."""
    yield
    connection.close_all()


@pytest.fixture
def host(db: None, tmp_path: Path) -> Host:
    """A host of its own, whose volumes have been seen, and no guest."""
    path = tmp_path / "host.xml"
    path.write_text(HOST_XML.read_text())
    row = Host.objects.create(
        name="kvm1", transport="test", socket_path=str(path), state="up"
    )
    volumes.look(row)
    return row


@pytest.fixture
def add(as_admin: Any, redis_server: str) -> Callable[..., Any]:
    """POST a host by the API; the answer."""

    def post(**said: Any) -> Any:
        body = {"name": "kvm1", "transport": "test"} | said
        return as_admin.post("/api/v1/hosts/", body, content_type="application/json")

    return post


def host_facts(uuid: UUID | None = None, **about: Any) -> HostFacts:
    """A small machine."""
    plain: dict[str, Any] = {
        "hostname": "kvm1.example.org",
        "uuid": uuid or uuid4(),
        "arch": "x86_64",
        "cpu_model": "Haswell",
        "cpus": 8,
        "sockets": 1,
        "cores": 4,
        "threads": 2,
        "cpu_mhz": 3000,
        "memory_bytes": 16 * 2**30,
        "memory_free_bytes": 8 * 2**30,
        "numa": (NumaCell(0, 16 * 2**30, 8 * 2**30, tuple(range(8))),),
        "libvirt_version": "9.0.0",
        "hypervisor": "QEMU",
        "hypervisor_version": "7.2.0",
        "virt_types": ("kvm", "qemu"),
        "secure": True,
    }
    return HostFacts(**plain | about)


def volume(name: str = "web.qcow2", **about: Any) -> VolumeFacts:
    """A volume in a file."""
    path = f"/var/lib/libvirt/images/{name}"
    plain: dict[str, Any] = {
        "name": name,
        "key": path,
        "path": path,
        "format": "qcow2",
        "capacity_bytes": 10 * 2**30,
        "allocation_bytes": 2**30,
        "backing_path": "",
    }
    return VolumeFacts(**plain | about)


POOL = UUID("11111111-0000-4000-8000-000000000001")
NETWORK = UUID("22222222-0000-4000-8000-000000000001")


def pool(*volumes: VolumeFacts, **about: Any) -> PoolFacts:
    """The pool named default."""
    plain: dict[str, Any] = {
        "uuid": POOL,
        "name": "default",
        "type": "dir",
        "active": True,
        "autostart": True,
        "persistent": True,
        "target": "/var/lib/libvirt/images",
        "capacity_bytes": 100 * 2**30,
        "allocation_bytes": 20 * 2**30,
        "available_bytes": 80 * 2**30,
        "volumes": volumes,
    }
    return PoolFacts(**plain | about)


def network(**about: Any) -> NetworkFacts:
    """The network named default."""
    plain: dict[str, Any] = {
        "uuid": NETWORK,
        "name": "default",
        "active": True,
        "autostart": True,
        "persistent": True,
        "mode": "nat",
        "bridge": "virbr0",
        "cidr": "192.168.122.1/24",
        "dhcp": True,
        "leases": (),
    }
    return NetworkFacts(**plain | about)


def look(**about: Any) -> FullLook:
    """Everything on a host with one pool and one network."""
    plain: dict[str, Any] = {
        "host": host_facts(),
        "domains": (),
        "pools": (pool(volume()),),
        "networks": (network(),),
    }
    return FullLook(**plain | about)
