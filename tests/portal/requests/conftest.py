"""A project with people and a quota, sizes, and hosts that could take machines."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from guests.images.models import Image
from hosts.models import Host
from kvmweb.accounts.models import Member, Project, User
from portal.flavors.models import Flavor
from portal.ledger.models import Quota
from tests.guests.creation.conftest import network_of, pool_of

GIB = 1024**3
URL = "/api/v1/requests/"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJ4rA7ZB1tY8o2Wc1nJq5m0hV3x9yKq7pL2dF6sT8uE me"


@pytest.fixture
def kvm1(db: None) -> Host:
    """A host that is up: 8 CPUs, 32 GiB, a pool and a network "default"."""
    host = Host.objects.create(
        name="kvm1",
        transport="test",
        state=Host.State.UP,
        arch="i686",
        virt_types=["test"],
        cpus=8,
        memory_bytes=32 * GIB,
        memory_free_bytes=32 * GIB,
    )
    pool_of(host)
    network_of(host)
    return host


@pytest.fixture
def small(db: None) -> Flavor:
    """One vCPU, 1 GiB, 10 GiB."""
    return Flavor.objects.create(
        name="small",
        vcpus=1,
        memory_bytes=GIB,
        disk_bytes=10 * GIB,
        price_per_hour=Decimal("0.01"),
    )


@pytest.fixture
def large(db: None) -> Flavor:
    """Four vCPUs, 8 GiB, 40 GiB."""
    return Flavor.objects.create(
        name="large", vcpus=4, memory_bytes=8 * GIB, disk_bytes=40 * GIB
    )


@pytest.fixture
def image(db: None) -> Image:
    """An image that is ready."""
    return Image.objects.create(
        name="debian", version="12", state="ready", cloud_init=True, format="qcow2"
    )


@pytest.fixture
def web(db: None) -> Project:
    """A project that may have four guests and 8 GiB."""
    project = Project.objects.create(name="web")
    Quota.objects.create(
        project=project,
        guests=4,
        vcpus=8,
        memory_bytes=8 * GIB,
        disk_bytes=100 * GIB,
    )
    return project


@pytest.fixture
def other(db: None) -> Project:
    """Another project."""
    return Project.objects.create(name="other")


@pytest.fixture
def person(db: None) -> Callable[..., Any]:
    """Makes plain users, in a project as this: `person("mia", web, "operator")`."""

    def make(name: str, project: Project | None = None, role: str = "operator") -> User:
        user: User = User.objects.make(name, None, "user")
        if project is not None:
            Member.objects.create(project=project, user=user, role=role)
        return user

    return make


@pytest.fixture
def mia(person: Callable[..., User], web: Project) -> User:
    """She asks for machines."""
    return person("mia", web)


@pytest.fixture
def otto(person: Callable[..., User], web: Project) -> User:
    """He owns the project, and decides."""
    return person("otto", web, "owner")


@pytest.fixture
def eve(person: Callable[..., User], other: Project) -> User:
    """She owns another project."""
    return person("eve", other, "owner")


class Api:
    """The API as one person."""

    def __init__(self, user: User) -> None:
        self.user = user
        self.client = Client()
        self.client.force_login(user)

    def get(self, path: str = "", **query: Any) -> Any:
        return self.client.get(f"{URL}{path}", query)

    def post(self, path: str = "", **body: Any) -> Any:
        return self.client.post(f"{URL}{path}", body, content_type="application/json")

    def patch(self, path: str, **body: Any) -> Any:
        return self.client.patch(f"{URL}{path}", body, content_type="application/json")

    def ask(self, **about: Any) -> Any:
        """Ask for a small machine in "web"."""
        plain = {
            "project": "web",
            "name": "app",
            "flavor": "small",
            "reason": "To try something.",
            "lease_days": 30,
        }
        return self.post(**(plain | about))


@pytest.fixture
def api(db: None, redis_server: str) -> Callable[[User], Api]:
    """The API as somebody: `api(mia).ask()`."""
    return Api


def paper(name: str, path: str) -> str:
    """The XML of a guest with one disk in this file, as its host would say it."""
    source = f"<driver name='qemu' type='qcow2'/><source file='{path}'/>"
    disk = f"<disk type='file' device='disk'>{source}<target dev='vda'/></disk>"
    return f"<domain type='test'><name>{name}</name><devices>{disk}</devices></domain>"
