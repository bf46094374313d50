"""A host of the lab as rows, and a look at it in place of a watcher."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest

from deploy.lab_host import LabHost, command
from guests.creation import making
from hosts.models import Host
from hosts.recorders import tell
from hosts.services import address_of
from kvmweb.operations import tasks
from kvmweb.operations.models import Operation
from kvmweb.virt import connection as virt
from kvmweb.virt import domains, networks, storage

MIB = 1024**2


@pytest.fixture(autouse=True)
def _cold(no_warm_children: None) -> None:
    """Each test begins with no connection."""


@pytest.fixture
def home(kvm: LabHost, db: None) -> Host:
    """Its row with its pools and networks, reached by its socket."""
    host = Host.objects.create(
        name="kvm1",
        transport="unix",
        socket_path=str(kvm.socket_path),
        state=Host.State.UP,
        arch="x86_64",
        virt_types=["qemu"],
        cpus=8,
        memory_bytes=64 * 1024 * MIB,
    )
    look(host)
    return host


@pytest.fixture(autouse=True)
def _seen_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody watches here, so who waits for a row looks first."""
    plain = making.until_row

    def until(find: Callable[[], Any], **about: Any) -> Any:
        for host in Host.objects.all():
            look(host)
        return plain(find, **about)

    monkeypatch.setattr(making, "until_row", until)


@pytest.fixture
def clean(kvm: LabHost) -> Iterator[None]:
    """Whatever the test leaves on the host goes, and it must leave none of its own."""
    before = told(kvm)
    yield
    for uuid in told(kvm)["guests"] - before["guests"]:
        if kvm.virsh("domstate", uuid) != "shut off":
            kvm.virsh("destroy", uuid)
        kvm.virsh("undefine", uuid, "--nvram", "--managed-save")
    for path in told(kvm)["volumes"] - before["volumes"]:
        kvm.virsh("vol-delete", path)


def told(kvm: LabHost) -> dict[str, set[str]]:
    """What guests and volumes the host has."""
    kvm.virsh("pool-refresh", "default")
    volumes = kvm.virsh("vol-list", "default").splitlines()
    return {
        "guests": set(kvm.virsh("list", "--all", "--uuid").split()),
        "volumes": {line.split()[1] for line in volumes if line.strip()},
    }


def look(host: Host) -> None:
    """Enter in the rows what the host has, as its watcher would."""
    with virt.connect(address_of(host)) as there:
        pools, nets = there.run(storage.look), there.run(networks.look)
        seen = [there.run(domains.look, UUID(uuid)) for uuid in _uuids(host)]
    tell("pools", host, pools)
    tell("networks", host, nets)
    tell("look", host, [each for each in seen if each], complete=True)


def _uuids(host: Host) -> list[str]:
    uri = f"qemu+unix:///system?socket={host.socket_path}"
    return command("virsh", "-q", "-c", uri, "list", "--all", "--uuid").split()


def performed(operation: Operation) -> Operation:
    """The operation, once this process has done it as a worker would."""
    tasks.run(str(operation.pk))
    operation.refresh_from_db()
    return operation
