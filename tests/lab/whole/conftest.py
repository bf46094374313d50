"""One running product for all tests of this folder: both lab hosts added and up."""

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from deploy.lab import Lab
from deploy.lab_host import LabHost
from deploy.product import Product
from tests import ending
from tests.lab import volumes as ask
from tests.scene import seen, states_of_hosts
from tests.waiting import until


@pytest.fixture(scope="session")
def product(lab: Lab) -> Iterator[Product]:
    """The whole product with the first host by its socket, the second by tcp."""
    near, far = lab.hosts
    ways = {
        near.name: {"transport": "unix", "socket_path": str(near.socket_path)},
        far.name: {"transport": "tcp", "address": far.address},
    }
    folder = Path("/tmp", f"kvmweb-whole-{os.getpid()}")
    with Product(folder, KVMWEB_FETCH_NETWORKS="127.0.0.0/8") as started:
        ending.with_the_group(started.stop)
        for name, way in ways.items():
            about = {"name": name, "virt_type": "qemu", **way}
            said = started.call("POST", "hosts/", about)
            assert said.status == 201, said.body
        until(lambda: set(states_of_hosts(started).values()) == {"up"})
        yield started


@pytest.fixture
def kvm(lab: Lab) -> LabHost:
    """The host that is reached by tcp."""
    return lab.hosts[1]


@pytest.fixture
def home(product: Product, kvm: LabHost) -> int:
    """The id of its default pool."""
    host = ask.host_id(product, kvm.name)
    until(lambda: ask.pool(product, host))
    return int(ask.pool(product, host)["id"])


@pytest.fixture(scope="module")
def near(product: Product, lab: Lab) -> Iterator[UUID]:
    """A guest with a text screen, on the host beside us."""
    yield from _guest(product, lab.hosts[0], "screen-near")


@pytest.fixture(scope="module")
def far(product: Product, lab: Lab) -> Iterator[UUID]:
    """A guest on the other host, whose screen wants a password."""
    yield from _guest(product, lab.hosts[1], "screen-far", password="unknown")


def _guest(
    product: Product, host: LabHost, name: str, password: str = ""
) -> Iterator[UUID]:
    uuid = host.define_demo(name, running=False, network="")
    if password:
        xml = host.virsh("dumpxml", "--domain", name)
        path = host.root / "guest.xml"
        path.write_text(xml.replace("type='vnc'", f"type='vnc' passwd='{password}'"))
        host.virsh("define", str(path))
    host.virsh("start", "--domain", name)
    seen(product, uuid, "running")
    yield uuid
    host.virsh("destroy", "--domain", name)
    host.virsh("undefine", "--domain", name)
