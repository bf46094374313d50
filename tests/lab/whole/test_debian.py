"""The Debian image: known by its checksum, on the hosts that need it, once.

That guests of it are who they were told to be: tests/browser/test_a_debian_from_the_page.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.lab import Lab
from deploy.product import Product
from tests.lab import debian
from tests.lab import volumes as ask
from tests.waiting import until

pytestmark = pytest.mark.lab
IMAGES = "var/lib/libvirt/images"
GIB = 1024**3


@pytest.fixture(scope="module")
def home(product: Product, lab: Lab) -> int:
    """The id of the first host."""
    host = ask.host_id(product, lab.hosts[0].name)
    until(lambda: ask.pool(product, host))
    return host


@pytest.fixture(scope="module")
def image(product: Product, home: int, debian_image: Path) -> Iterator[int]:
    """The Debian image in the first host's default pool; its copies go at the end."""
    pool = ask.pool(product, home)["id"]
    made = debian.registered(product, pool, debian_image)
    yield made
    ask.done(product, product.call("DELETE", f"images/{made}/?copies=delete"))


@pytest.fixture
def clean(lab: Lab) -> Iterator[None]:
    """Whatever guests a test leaves on the hosts go."""
    yield
    for host in lab.hosts:
        for uuid in host.virsh("list", "--all", "--uuid").split():
            if host.virsh("domstate", uuid) != "shut off":
                host.virsh("destroy", uuid)
            host.virsh("undefine", uuid, "--managed-save", "--nvram")


def wanted(host: int, image: int, name: str, **about: Any) -> dict[str, Any]:
    """A guest of the image."""
    plain = {
        "name": name,
        "host": host,
        "vcpus": 2,
        "memory_bytes": 512 * ask.MIB,
        "disks": [{"image": image, "size_bytes": 4 * GIB}],
        "nics": [{"network": "default"}],
    }
    return plain | about


def test_its_image_is_known_by_its_checksum(
    product: Product, image: int, home: int, debian_image: Path
) -> None:
    said = product.call("GET", f"images/{image}/").body
    assert said["sha256"] == hashlib.sha256(debian_image.read_bytes()).hexdigest()
    assert said["size_bytes"] == debian_image.stat().st_size
    assert said["virtual_size_bytes"] == said["min_disk_bytes"] == 2 * GIB
    assert [(it["host"], it["state"]) for it in said["copies"]] == [(home, "ready")]


@pytest.mark.usefixtures("clean")
def test_another_host_gets_it_when_it_needs_it_and_once(
    product: Product, lab: Lab, home: int, image: int, debian_image: Path
) -> None:
    kvm = lab.hosts[1]
    there = ask.host_id(product, kvm.name)
    until(lambda: ask.pool(product, there))
    begun = [
        product.call("POST", "guests/", wanted(there, image, name, start=False))
        for name in ("one", "two")
    ]
    made = [ask.done(product, said, 120)["result"]["guest"] for said in begun]
    told = product.call("GET", f"images/{image}/").body
    (copy,) = [it for it in told["copies"] if it["host"] == there]
    assert copy["state"] == "ready"
    files = [it.name for it in (kvm.root / IMAGES).iterdir() if "image-" in it.name]
    assert files == [Path(copy["path"]).name]
    content = (kvm.root / IMAGES / files[0]).read_bytes()
    assert hashlib.sha256(content).hexdigest() == told["sha256"]
    refused = product.call("DELETE", f"images/{image}/?copies=delete")
    assert refused.status == 409
    assert "is used by" in refused.body["detail"]
    for uuid in made:
        ask.done(product, product.call("DELETE", f"guests/{uuid}/?volumes=delete"))
    assert (kvm.root / IMAGES / files[0]).exists()
