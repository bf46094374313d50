"""A project with people, a guest of it that is lent, and time that a test moves."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from guests.models import Guest
from hosts.models import Host
from kvmweb.accounts.models import Member, Project, User
from kvmweb.operations.ending import End, end
from kvmweb.operations.models import Operation
from portal.leases import looking, services
from portal.leases.models import Lease, Looking
from portal.telling.models import Notice

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@pytest.fixture(autouse=True)
def _redis(redis_server: str) -> None:
    """News need one."""


@pytest.fixture
def host(db: None) -> Host:
    """Where it runs."""
    return Host.objects.create(
        name="hush-host", transport="test", state=Host.State.UP, virt_types=["test"]
    )


@pytest.fixture
def shop(db: None, user: User) -> Project:
    """A project; uwe runs machines in it."""
    project = Project.objects.create(name="shop")
    Member.objects.create(project=project, user=user, role=Member.Role.OPERATOR)
    return project


@pytest.fixture
def web(host: Host, shop: Project, user: User) -> Guest:
    """Uwe's machine, running."""
    return Guest.objects.create(
        uuid=uuid4(),
        name="web",
        state="running",
        host=host,
        project=shop,
        owner=user,
        vcpus=1,
        memory_bytes=1024**3,
    )


@pytest.fixture
def lease(web: Guest, shop: Project) -> Lease:
    """For thirty days from now on."""
    return services.begin(web.pk, shop, 30)


class Clock:
    """Looks after leases as beat does, at times a test says."""

    def __init__(self) -> None:
        self.now = timezone.now()

    def look(self, at: datetime) -> None:
        """Time has passed, and somebody looked all the while."""
        self.now = at
        if not Looking.objects.exists():
            Looking.objects.create(pk=Looking.THE, since=at - 100 * DAY, last_at=at)
        Looking.objects.update(last_at=at - MINUTE)
        looking.look(at)


@pytest.fixture
def clock(db: None) -> Clock:
    """Time, in the hand of the test."""
    return Clock()


@pytest.fixture
def told() -> Callable[[User], list[str]]:
    """The titles of what somebody was told, oldest first."""

    def titles(person: User) -> list[str]:
        rows = Notice.objects.filter(user=person).order_by("pk")
        return list(rows.values_list("title", flat=True))

    return titles


def finish(kind: str, state: str = "succeeded", **result: Any) -> Operation:
    """The one operation of this kind that goes on ends; its guest follows."""
    row = Operation.objects.filter(kind=kind, state__in=Operation.ACTIVE)
    operation = end(
        row, End(Operation.State(state), f"{kind}: {state}.", result=result)
    )
    assert operation is not None
    return operation
