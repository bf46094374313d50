"""A project with uwe and carla, a machine of uwe's, and somebody in another project."""

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from guests.models import Guest
from hosts.models import Host, Pool, Volume
from kvmweb.accounts.models import Member, Project, User
from portal.leases import services
from portal.leases.models import Lease


@pytest.fixture(autouse=True)
def _redis(redis_server: str) -> None:
    """Numbers and news need one."""


@pytest.fixture
def host(db: None) -> Host:
    """Where it runs, which no user may know."""
    return Host.objects.create(
        name="hush-host", transport="test", state=Host.State.UP, address="10.99.0.7"
    )


@pytest.fixture
def shop(db: None, user: User) -> Project:
    """Uwe runs machines in it."""
    project = Project.objects.create(name="shop")
    Member.objects.create(project=project, user=user, role=Member.Role.OPERATOR)
    return project


@pytest.fixture
def carla(shop: Project) -> User:
    """A colleague of uwe's."""
    person = User.objects.make("carla", None)
    Member.objects.create(project=shop, user=person, role=Member.Role.OPERATOR)
    return person


@pytest.fixture
def as_carla(carla: User) -> Client:
    """Her browser."""
    client = Client()
    client.force_login(carla)
    return client


@pytest.fixture
def web(host: Host, shop: Project, user: User) -> Guest:
    """Uwe's machine, running, with a disk in a pool."""
    pool = Pool.objects.create(
        host=host,
        uuid=uuid4(),
        name="fast",
        type="dir",
        active=True,
        autostart=True,
        persistent=True,
        target="/hush-images",
    )
    path = "/hush-images/web.qcow2"
    Volume.objects.create(
        pool=pool, name="web.qcow2", key=path, path=path, capacity_bytes=5 * 1024**3
    )
    return guest_of(host, project=shop, owner=user, disks=[disk(path)])


@pytest.fixture
def lease(web: Guest, shop: Project) -> Lease:
    """For thirty days from now on."""
    return services.begin(web.pk, shop, 30)


def guest_of(host: Host, name: str = "web", **columns: Any) -> Guest:
    """A guest that runs there."""
    plain: dict[str, Any] = {
        "state": "running",
        "vcpus": 2,
        "memory_bytes": 1024**3,
        "addresses": " fe80::1 10.0.0.5 ",
        "graphics": [{"kind": "vnc"}],
    }
    return Guest.objects.create(uuid=uuid4(), name=name, host=host, **plain | columns)


def disk(path: str, target: str = "vda") -> dict[str, Any]:
    """A disk as its host says it."""
    return {
        "target": target,
        "device": "disk",
        "bus": "virtio",
        "kind": "file",
        "path": path,
        "pool": "",
        "volume": "",
        "format": "qcow2",
        "readonly": False,
        "shareable": False,
        "capacity_bytes": 5 * 1024**3,
    }
