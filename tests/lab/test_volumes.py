"""Volumes are made, filled, read, copied, grown and thrown away on real hosts."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.lab import Lab
from deploy.lab_host import LabHost
from deploy.product import Product
from tests.lab import volumes as ask
from tests.lab.volumes import MIB
from tests.scene import ended, states_of_hosts
from tests.waiting import until

pytestmark = pytest.mark.lab
IMAGES = "var/lib/libvirt/images"


@pytest.fixture(scope="module")
def product(lab: Lab) -> Iterator[Product]:
    """The whole product with both lab hosts."""
    with Product(Path("/tmp", f"kvmweb-volumes-{os.getpid()}")) as started:
        for host in lab.hosts:
            about = {"name": host.name, "transport": "tcp", "address": host.address}
            said = started.call("POST", "hosts/", about | {"virt_type": "qemu"})
            assert said.status == 201, said.body
        until(lambda: set(states_of_hosts(started).values()) == {"up"})
        yield started


@pytest.fixture
def kvm(lab: Lab) -> LabHost:
    """The first host."""
    return lab.hosts[0]


@pytest.fixture
def home(product: Product, kvm: LabHost) -> int:
    """The id of its default pool."""
    host = ask.host_id(product, kvm.name)
    until(lambda: ask.pool(product, host))
    return int(ask.pool(product, host)["id"])


def files(kvm: LabHost) -> set[str]:
    """What lies in the default pool."""
    return {path.name for path in (kvm.root / IMAGES).iterdir()}


def test_a_volume_is_made_filled_read_and_deleted(
    product: Product, kvm: LabHost, home: int
) -> None:
    content = os.urandom(3 * MIB + 17)
    volume = ask.made(product, home, "round.img", len(content))
    done = ask.done(product, ask.put(product, volume, content, length=len(content)))
    assert done["result"] == {
        "volume": volume,
        "path": "/var/lib/libvirt/images/round.img",
        "bytes": len(content),
    } | {name: done["result"][name] for name in ("begun", "begun_at", "whole")}
    assert (kvm.root / IMAGES / "round.img").read_bytes() == content
    status, headers, back = ask.get(product, volume)
    assert (status, headers["content-length"]) == (200, str(len(content)))
    assert 'filename="round.img"' in headers["content-disposition"]
    assert "x-kvmweb-operation" not in headers
    assert back == content
    ask.done(product, product.call("DELETE", f"volumes/{volume}/?now=true"))
    assert "round.img" not in files(kvm)
    ask.gone(product, home, "round.img")


def test_a_qcow2_image_is_judged_and_its_size_believed_afterwards(
    product: Product, kvm: LabHost, home: int, tmp_path: Path
) -> None:
    image = ask.qcow2(tmp_path, size="7G")
    volume = ask.made(product, home, "sent.qcow2", 10 * MIB, "qcow2")
    ask.done(product, ask.put(product, volume, ask.pieces(image)))
    said = product.call("GET", f"volumes/{volume}/").body
    assert (said["format"], said["capacity_bytes"]) == ("qcow2", 7 << 30)
    assert (said["state"], said["used_by"]) == ("ready", [])
    assert ask.get(product, volume)[2] == image
    ask.done(product, product.call("DELETE", f"volumes/{volume}/?now=true"))
