"""Ten guests from one call, on two real hosts, by the whole product; and one by a person."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.lab import Lab
from deploy.product import Product
from tests.scene import ended, guest, states_of_hosts
from tests.waiting import until

pytestmark = pytest.mark.lab
MIB = 1024**2
COUNT = 10


@pytest.fixture(scope="module")
def product(lab: Lab) -> Iterator[Product]:
    """The whole product with both lab hosts."""
    with Product(Path("/tmp", f"kvmweb-many-{os.getpid()}")) as started:
        for host in lab.hosts:
            place = {"transport": "tcp", "address": host.address, "virt_type": "qemu"}
            said = started.call("POST", "hosts/", {"name": host.name, **place})
            assert said.status == 201, said.body
        until(lambda: set(states_of_hosts(started).values()) == {"up"})
        yield started


@pytest.fixture
def cleared(lab: Lab) -> Iterator[None]:
    """What the test made goes."""
    yield
    for host in lab.hosts:
        for name in host.virsh("list", "--all", "--name").split():
            if name.startswith("many"):
                if host.virsh("domstate", name) != "shut off":
                    host.virsh("destroy", name)
                host.virsh("undefine", name)
        for line in host.virsh("vol-list", "default").splitlines():
            if line.split()[:1] and line.split()[0].startswith("many"):
                host.virsh("vol-delete", line.split()[1])


def test_ten_from_one_call_are_spread_and_run(
    product: Product, lab: Lab, cleared: None
) -> None:
    told = {
        "name": "many",
        "count": COUNT,
        "vcpus": 1,
        "memory_bytes": 16 * MIB,
        "disks": [{"size_bytes": MIB, "pool": "default"}],
        "nics": [{"network": "default"}],
        "tags": ["fleet"],
    }
    seen = product.call("POST", "guests/preview/", told)
    assert seen.status == 200, seen.body
    assert len(seen.body["guests"]) == COUNT
    said = product.call("POST", "guests/", told)
    assert said.status == 202, said.body
    operation = ended(product, said.body["id"], 120)
    assert operation["state"] == "succeeded", operation
    assert len(operation["children"]) == COUNT
    names = {host.name: set(host.virsh("list", "--name").split()) for host in lab.hosts}
    counts = [sum(it.startswith("many-") for it in names[h.name]) for h in lab.hosts]
    assert counts == [COUNT // 2, COUNT // 2]
    for child in operation["children"]:
        made = product.call("GET", f"operations/{child}/").body
        found = guest(product, made["result"]["guest"])
        assert found["state"] == "running"
        assert found["tags"] == ["fleet"]
        assert found["owner"] == "admin"
        assert found["disks"][0]["capacity_bytes"] == MIB


def test_one_child_that_fails_leaves_the_others(
    product: Product, lab: Lab, cleared: None
) -> None:
    told = {
        "name": "manyfew",
        "count": 2,
        "vcpus": 1,
        "memory_bytes": 16 * MIB,
        "disks": [{"size_bytes": MIB, "pool": "default"}],
    }
    for host in lab.hosts:  # behind the product's back
        host.run("truncate", "-s", "1M", "/var/lib/libvirt/images/manyfew-02.qcow2")
    said = product.call("POST", "guests/", told)
    operation = ended(product, said.body["id"], 60)
    assert operation["state"] == "failed"
    assert "1 of 2 failed" in operation["message"]
    running = [
        name for host in lab.hosts for name in host.virsh("list", "--name").split()
    ]
    assert "manyfew-01" in running
    assert "manyfew-02" not in running
