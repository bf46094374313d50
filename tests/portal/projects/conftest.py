"""A project with a quota, people in it, and somebody who is not."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client

from kvmweb.accounts.models import Member, Project, User
from portal.flavors.models import Flavor
from portal.ledger import services as ledger
from portal.ledger.amounts import Amounts

GIB = 1024**3
QUOTA = {"guests": 10, "vcpus": 20, "memory_bytes": 40 * GIB, "disk_bytes": None}


@pytest.fixture
def shop(redis_server: str, db: None) -> Project:
    """A project with a quota; nobody is in it."""
    project = Project.objects.create(name="shop", note="What sells.")
    ledger.set_quota(project, dict(QUOTA))
    return project


@pytest.fixture
def lab(shop: Project) -> Project:
    """Another project."""
    return Project.objects.create(name="lab")


@pytest.fixture
def person() -> Callable[..., User]:
    """Makes people: `person("mia")`, `person("mia", shop, "owner")`."""

    def make(name: str, project: Project | None = None, role: str = "operator") -> User:
        found = User.objects.filter(username=name).first()
        found = found or User.objects.make(name, None)
        if project is not None:
            Member.objects.create(project=project, user=found, role=role)
        return found

    return make


@pytest.fixture
def browser_of() -> Callable[[User], Client]:
    """Signs somebody in."""

    def make(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return make


@pytest.fixture
def owner(shop: Project, person: Callable[..., User]) -> User:
    """Who owns the shop."""
    return person("olaf", shop, "owner")


@pytest.fixture
def viewer(shop: Project, person: Callable[..., User]) -> User:
    """Who may only look at it."""
    return person("vera", shop, "viewer")


@pytest.fixture
def as_owner(owner: User, browser_of: Callable[[User], Client]) -> Client:
    """The owner's browser."""
    return browser_of(owner)


@pytest.fixture
def as_viewer(viewer: User, browser_of: Callable[[User], Client]) -> Client:
    """The viewer's browser."""
    return browser_of(viewer)


@pytest.fixture
def as_stranger(
    lab: Project, person: Callable[..., User], browser_of: Callable[[User], Client]
) -> Client:
    """The browser of somebody who owns another project."""
    return browser_of(person("sven", lab, "owner"))


@pytest.fixture
def small(db: None) -> Flavor:
    """A flavor."""
    return Flavor.objects.create(
        name="small", vcpus=1, memory_bytes=GIB, disk_bytes=10 * GIB, note="For a try."
    )


def taken(
    project: Project, label: str, guest: UUID | None = None, *, used: bool = False
) -> str:
    """A guest takes up some of its quota, or will; the subject of its charge."""
    subject = f"guest:{guest or uuid4()}"
    ledger.reserve(project, subject, Amounts(1, 2, 4 * GIB, 10 * GIB), label)
    if used:
        ledger.settle(subject, subject)
    return subject


def send(client: Client, method: str, path: str, body: Any = None) -> Any:
    """One call of the API; its answer."""
    ask: Any = getattr(client, method)
    address = f"/api/v1/{path}"
    if method == "get":
        return ask(address)
    return ask(address, {} if body is None else body, content_type="application/json")
