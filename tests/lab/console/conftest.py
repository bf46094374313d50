"""A product that shows screens, and a guest on each host of the lab."""

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from deploy.lab import Lab
from deploy.lab_host import LabHost
from deploy.product import Product
from tests.scene import seen, states_of_hosts
from tests.waiting import until


@pytest.fixture(scope="module")
def shown(lab: Lab) -> Iterator[Product]:
    """The product with the first host by its socket, the second by tcp."""
    first, second = lab.hosts
    place = Path("/tmp", f"kvmweb-console-{os.getpid()}")
    with Product(place) as product:
        unix = {"transport": "unix", "socket_path": str(first.socket_path)}
        tcp = {"transport": "tcp", "address": second.address}
        for name, how in (("near", unix), ("far", tcp)):
            assert product.call("POST", "hosts/", {"name": name, **how}).status == 201
        until(lambda: set(states_of_hosts(product).values()) == {"up"})
        yield product


@pytest.fixture(scope="module")
def near(shown: Product, lab: Lab) -> Iterator[UUID]:
    """A guest with a text screen, on the host beside us."""
    yield from _guest(shown, lab.hosts[0], "screen-near")


@pytest.fixture(scope="module")
def far(shown: Product, lab: Lab) -> Iterator[UUID]:
    """A guest on the other host, whose screen wants a password."""
    yield from _guest(shown, lab.hosts[1], "screen-far", password="unknown")


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
