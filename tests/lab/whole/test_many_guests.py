"""Ten guests from one call, on two real hosts, by the whole product."""

from collections.abc import Iterator

import pytest

from deploy.lab import Lab
from deploy.lab_host import LabHost
from deploy.product import Product
from tests.scene import ended, guest

pytestmark = pytest.mark.lab
MIB = 1024**2
COUNT = 10


@pytest.fixture
def cleared(lab: Lab) -> Iterator[None]:
    """What the test made goes."""
    yield
    for host in lab.hosts:
        words = [f"destroy {name}" for name in _made(host, "list", "--name")]
        words += [f"undefine {name}" for name in _made(host, "list", "--all", "--name")]
        volumes = _made(host, "vol-list", "default")
        words += [f"vol-delete {name} default" for name in volumes]
        if words:
            host.virsh("; ".join(words))


def _made(host: LabHost, *asked: str) -> list[str]:
    """The names that begin as ours do, of what virsh lists."""
    first = [line.split()[0] for line in host.virsh(*asked).splitlines() if line]
    return [name for name in first if name.startswith("many")]


def test_ten_from_one_call_are_spread_and_run(
    product: Product, lab: Lab, cleared: None
) -> None:
    told = {
        "name": "many",
        "count": COUNT,
        "vcpus": 1,
        "memory_bytes": 16 * MIB,
        "disks": [{"size_bytes": MIB, "pool": "default"}],
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
