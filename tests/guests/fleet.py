"""Hosts with room and guests that run there, as rows; moves end as a test says."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from guests.models import Guest
from hosts.models import Host
from kvmweb.operations.ending import End, end
from kvmweb.operations.models import Operation
from kvmweb.virt.types import DomainState

MIB = 1024**2
State = Operation.State
Ender = Callable[..., None]


@pytest.fixture
def fleet(redis_server: str, db: None) -> list[Host]:
    """Three hosts that are up, with 1 GiB each, and take each other's guests."""
    return [
        Host.objects.create(
            name=f"kvm{number}",
            transport="tcp",
            address=f"10.0.0.{number}",
            state=Host.State.UP,
            cpus=8,
            memory_bytes=1024 * MIB,
            memory_free_bytes=1024 * MIB,
            virt_types=["qemu"],
            arch="x86_64",
        )
        for number in (1, 2, 3)
    ]


@pytest.fixture
def runs(fleet: list[Host]) -> Callable[..., Guest]:
    """Makes guests that run on the first host: `runs("web", memory_mib=64)`."""

    def make(name: str, *, memory_mib: int = 64, **columns: Any) -> Guest:
        plain = {"host": fleet[0], "state": DomainState.RUNNING, "vcpus": 1}
        return Guest.objects.create(
            uuid=uuid4(),
            name=name,
            memory_bytes=memory_mib * MIB,
            arch="x86_64",
            virt_type="qemu",
            **plain | columns,
        )

    return make


@pytest.fixture
def arrives() -> Ender:
    """Ends a move: its guest is at its target, as the watcher would say."""

    def make(guest: UUID, state: str = State.SUCCEEDED, *, moved: bool = True) -> None:
        row = Operation.objects.filter(guest=guest, state__in=Operation.ACTIVE)
        operation = row.get()
        if state == State.SUCCEEDED and moved and "target" in operation.params:
            Guest.objects.filter(pk=guest).update(host=operation.params["target"])
        end(row, End(State(state), f"{operation.guest_name}: {state}."))

    return make
