"""Three real hosts, a running product that watches them, and guests to move about."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy import lab as labs
from deploy.lab import Lab
from deploy.lab_host import LabHost
from deploy.product import Product
from tests import ending
from tests.lab.migration.ground import added
from tests.scene import active, guest, seen, states_of_hosts
from tests.waiting import until

Mover = Callable[..., str]


@pytest.fixture(scope="session")
def lab3() -> Iterator[Lab]:
    """Three hosts that speak tcp and tls, with the pools default and shared."""
    if os.geteuid() != 0:
        pytest.fail("The lab makes network namespaces: run 'make test' as root.")
    labs.remove_left_behind("km")
    folder = Path("/tmp", f"kvmweb-move-{os.getpid()}")
    with Lab(folder, f"km{os.getpid()}", hosts=3, tls=True) as started:
        ending.with_the_group(started.stop)
        yield started


@pytest.fixture(scope="session")
def moving_product(lab3: Lab) -> Iterator[Product]:
    """The whole product with the three hosts, all up and with an address to move to."""
    with Product(Path("/tmp", f"kvmweb-moving-{os.getpid()}")) as started:
        ending.with_the_group(started.stop)
        for host in lab3.hosts:
            added(started, host)
        up = {host.name: "up" for host in lab3.hosts}
        until(lambda: states_of_hosts(started) == up)
        yield started


@pytest.fixture
def whole(lab3: Lab, moving_product: Product) -> Iterator[None]:
    """After each test all hosts are up and nothing is under way."""
    yield
    up = {host.name: "up" for host in lab3.hosts}
    until(lambda: states_of_hosts(moving_product) == up, 40)
    until(lambda: not active(moving_product), 60)


@pytest.fixture
def mover(lab3: Lab, moving_product: Product) -> Iterator[Mover]:
    """Makes demo guests on the first host that the product has seen; they go at the end.

    `on` is another host, `shared_mib` and `own_mib` are disks in the pools shared and
    default; the rest goes to `LabHost.define_demo`.
    """
    made: list[str] = []

    def make(name: str, *, on: LabHost | None = None, **about: Any) -> str:
        host = on or lab3.hosts[0]
        running = about.pop("running", True)
        disks = {
            "shared": about.pop("shared_mib", 0),
            "default": about.pop("own_mib", 0),
        }
        uuid = str(host.define_demo(name, running=False, network="", **about))
        made.append(uuid)
        for target, (pool, size_mib) in zip(("vdb", "vdc"), disks.items(), strict=True):
            if size_mib:
                _with_disk(host, uuid, pool, f"{name}-{target}.qcow2", target, size_mib)
        if running:
            host.virsh("start", uuid)
        seen(moving_product, uuid, "running" if running else "shutoff", 30)
        count = sum(1 for size_mib in disks.values() if size_mib)
        until(lambda: len(guest(moving_product, uuid)["disks"]) >= count)
        return uuid

    yield make
    for host in lab3.hosts:
        there = host.virsh("list", "--all", "--uuid").split()
        for uuid in set(made) & set(there):
            _forget(host, uuid)


def _with_disk(
    host: LabHost, uuid: str, pool: str, volume: str, target: str, size_mib: int
) -> None:
    made = (pool, volume, f"{size_mib}M", "--format", "qcow2")
    host.virsh("vol-create-as", *made)
    path = host.virsh("vol-path", volume, "--pool", pool)
    words = ("--subdriver", "qcow2", "--targetbus", "virtio", "--config")
    host.virsh("attach-disk", uuid, path, target, *words)


def _forget(host: LabHost, uuid: str) -> None:
    """End it there, and take its disks along."""
    if host.virsh("domstate", uuid) != "shut off":
        host.virsh("destroy", uuid)
    blocks = host.virsh("domblklist", uuid).split()
    if uuid in host.virsh("list", "--all", "--uuid").split():
        host.virsh(
            "undefine", uuid, "--managed-save", "--nvram", "--snapshots-metadata"
        )
    for path in blocks:
        if path.startswith("/"):
            host.run("rm", "-f", path)
