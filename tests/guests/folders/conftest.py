"""A host with room for new guests, and guests with tags on it, as rows."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from guests.models import Guest
from hosts.models import Host
from kvmweb.virt.types import DomainState
from tests.guests.creation.conftest import GIB, network_of, pool_of

JSON = "application/json"
FOLDERS = "/api/v1/folders/"


@pytest.fixture(autouse=True)
def _redis(redis_server: str) -> None:
    """Numbers and news need one."""


@pytest.fixture
def kvm1(db: None) -> Host:
    """A host with much room, a pool and a network."""
    host = Host.objects.create(
        name="kvm1",
        transport="test",
        state=Host.State.UP,
        arch="i686",
        virt_types=["test"],
        cpus=64,
        memory_bytes=512 * GIB,
        memory_free_bytes=512 * GIB,
    )
    pool_of(host, capacity_bytes=9000 * GIB, available_bytes=8000 * GIB)
    network_of(host)
    return host


@pytest.fixture
def tagged(kvm1: Host) -> Callable[..., Guest]:
    """Makes guests with these tags: `tagged("web", "shop/prod", "linux")`."""

    def make(name: str, *tags: str, **columns: Any) -> Guest:
        plain = {
            "host": kvm1,
            "state": DomainState.RUNNING,
            "vcpus": 2,
            "memory_bytes": GIB,
            "tags": list(tags),
            "tag_words": f" {' '.join(tags)} " if tags else "",
        }
        return Guest.objects.create(uuid=uuid4(), name=name, **plain | columns)

    return make
