"""Networks that people make are there for real, and go only when nobody needs them."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from deploy.lab_host import LabHost
from deploy.product import Product
from tests.lab.volumes import host_id
from tests.scene import ended, guest, seen
from tests.waiting import until

pytestmark = pytest.mark.lab
MAC = "52:54:00:77:00:01"


@pytest.fixture(autouse=True)
def _cleared(kvm: LabHost) -> Iterator[None]:
    """Without the guests and networks of a test afterwards."""
    yield
    for name in kvm.virsh("list", "--all", "--name").split():
        if kvm.virsh("domstate", name) != "shut off":
            kvm.virsh("destroy", name)
        kvm.virsh("undefine", name)
    for name in kvm.virsh("net-list", "--all", "--name").split():
        if name != "default":
            if "yes" in re.findall(r"Active: +(\w+)", kvm.virsh("net-info", name)):
                kvm.virsh("net-destroy", name)
            if name in kvm.virsh("net-list", "--all", "--name").split():
                kvm.virsh("net-undefine", name)


def done(product: Product, method: str, path: str, body: Any = None) -> dict[str, Any]:
    """The operation that was asked for, ended well."""
    operation = tried(product, method, path, body)
    assert operation["state"] == "succeeded", operation
    return operation


def tried(product: Product, method: str, path: str, body: Any = None) -> dict[str, Any]:
    """The operation that was asked for, ended."""
    said = product.call(method, path, body)
    assert said.status == 202, said.body
    return ended(product, said.body["id"])


def made(product: Product, kvm: LabHost, **about: Any) -> int:
    """A network's id, once it is up."""
    body = {"name": "lab1", "mode": "nat", "cidr": "10.211.0.0/24"} | about
    path = f"hosts/{host_id(product, kvm.name)}/networks/"
    return int(done(product, "POST", path, body)["result"]["network"])


def with_card(kvm: LabHost, network: str, mac: str) -> str:
    """A demo guest with one card of this address; its UUID."""
    uuid = str(kvm.define_demo("on-it", running=False, network=""))
    kvm.virsh(
        *("attach-interface", uuid, "network", network, "--config"),
        *("--model", "virtio", "--mac", mac),
    )
    kvm.virsh("start", uuid)
    return uuid


def gone(product: Product, kvm: LabHost, uuid: str) -> None:
    """Take the guest away by virsh."""
    kvm.virsh("destroy", uuid)
    kvm.virsh("undefine", uuid)
    seen(product, uuid, "gone")


def test_a_guest_gets_the_address_that_was_fixed_for_it(
    product: Product, kvm: LabHost
) -> None:
    network = made(product, kvm, dhcp={"start": "10.211.0.10", "end": "10.211.0.20"})
    row = product.call("GET", f"networks/{network}/").body
    assert (row["active"], row["autostart"], row["gateway"]) == (
        True,
        True,
        "10.211.0.1",
    )
    fixed = {"mac": MAC, "address": "10.211.0.77", "name": "seventy"}
    done(product, "POST", f"networks/{network}/leases/", fixed)
    assert "10.211.0.77" in kvm.virsh("net-dumpxml", "lab1")
    assert "10.211.0.77" in kvm.virsh("net-dumpxml", "lab1", "--inactive")
    uuid = with_card(kvm, "lab1", MAC)
    seen(product, uuid, "running")
    until(lambda: guest(product, uuid)["ip_addresses"] == ["10.211.0.77"], 40)
    until(lambda: product.call("GET", f"networks/{network}/").body["leases"])
    lease = product.call("GET", f"networks/{network}/").body["leases"][0]
    assert (lease["address"], lease["mac"]) == ("10.211.0.77", MAC)
    for method, path, words in (
        ("DELETE", f"networks/{network}/", "used by on-it"),
        ("POST", f"networks/{network}/leases/", "already"),
    ):
        said = product.call(method, path, fixed | {"mac": "52:54:00:77:00:02"})
        assert said.status in {409, 422}
        assert words in str(said.body)
    stopping = tried(product, "POST", f"networks/{network}/stop/", {})
    assert stopping["state"] == "failed"
    assert "on-it would lose" in stopping["error"]["message"]
    done(product, "DELETE", f"networks/{network}/leases/{MAC}/")
    assert "10.211.0.77" not in kvm.virsh("net-dumpxml", "lab1")
    gone(product, kvm, uuid)
    done(product, "DELETE", f"networks/{network}/")
    assert "lab1" not in kvm.virsh("net-list", "--all", "--name")
    until(lambda: product.call("GET", f"networks/{network}/").status == 404)


def test_a_range_changes_at_once_and_the_rest_at_the_next_start(
    product: Product, kvm: LabHost
) -> None:
    network = made(product, kvm, name="lab2", cidr="10.212.0.0/24")
    path = f"networks/{network}/"
    narrow = {"dhcp": {"start": "10.212.0.50", "end": "10.212.0.60"}}
    assert done(product, "PATCH", path, narrow)["result"]["in_force"]
    live = kvm.virsh("net-dumpxml", "lab2")
    assert re.findall(r"<range start='(.*?)' end='(.*?)'", live) == [
        ("10.212.0.50", "10.212.0.60")
    ]
    moved = done(product, "PATCH", path, {"cidr": "10.213.0.0/24", "autostart": False})
    assert not moved["result"]["in_force"]
    assert "10.212.0.1" in kvm.virsh("net-dumpxml", "lab2")
    done(product, "POST", f"{path}stop/", {})
    until(lambda: not product.call("GET", path).body["active"])
    done(product, "POST", f"{path}start/", {})
    until(lambda: product.call("GET", path).body["cidr"] == "10.213.0.0/24")
    row = product.call("GET", path).body
    assert (row["active"], row["autostart"]) == (True, False)
    assert "10.213.0.1" in kvm.run("ip", "-4", "addr", "show", row["bridge"])


def test_every_mode_is_made_and_what_cannot_come_up_leaves_nothing(
    product: Product, kvm: LabHost
) -> None:
    kvm.run("ip", "link", "add", "br7", "type", "bridge")
    path = f"hosts/{host_id(product, kvm.name)}/"
    for number, mode in enumerate(("route", "open", "isolated"), start=21):
        about = {"name": mode, "mode": mode, "cidr": f"10.2{number}.0.0/24"}
        network = made(product, kvm, **about)
        row = product.call("GET", f"networks/{network}/").body
        assert (row["mode"], row["active"], row["dhcp"]) == (mode, True, True)
    on_bridge = {"name": "lan", "mode": "bridge", "bridge": "br7", "cidr": ""}
    lan = product.call("GET", f"networks/{made(product, kvm, **on_bridge)}/").body
    assert (lan["mode"], lan["bridge"], lan["dhcp"]) == ("bridge", "br7", False)
    for about, words in (
        ({"vlan": 7}, "plain Linux"),
        ({"bridge": "br8"}, "no interface"),
    ):
        failed = tried(
            product, "POST", f"{path}networks/", on_bridge | {"name": "l2"} | about
        )
        assert words in failed["error"]["message"]
    taken = {"name": "taken", "mode": "nat", "cidr": f"{kvm.address}/24"}
    failed = tried(product, "POST", f"{path}networks/", taken)
    assert failed["state"] == "failed"
    assert "in use" in failed["error"]["message"]
    assert "taken" not in kvm.virsh("net-list", "--all", "--name").split()


def test_what_a_host_can_do_is_known(product: Product, kvm: LabHost) -> None:
    path = f"hosts/{host_id(product, kvm.name)}/"
    address = f"{path}capabilities/"
    until(lambda: product.call("GET", address).body["virt_type"] == "qemu", 30)
    known = product.call("GET", address).body
    assert {"q35", "pc"} <= set(known["machines"])
    assert known["tpm"]
    assert "uefi" in known["firmware"]
    assert known["max_vcpus"] > 100
    assert "clean-traffic" in str(product.call("GET", f"{path}filters/").body)
