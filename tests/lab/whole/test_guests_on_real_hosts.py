"""What people do to guests comes true on real hosts, and no more than that."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.lab import Lab
from deploy.lab_host import LabHost
from deploy.product import Product
from tests.scene import ask, ended, guest, seen, state
from tests.waiting import until

pytestmark = pytest.mark.lab
Guest = Callable[..., str]


@pytest.fixture
def demo(kvm: LabHost, product: Product) -> Iterator[Guest]:
    """Makes demo guests that the product has seen; they go when the test has ended."""
    made: list[str] = []

    def make(name: str, **about: Any) -> str:
        uuid = str(kvm.define_demo(name, **about))
        made.append(uuid)
        off = "paused" if about.get("paused") else "shutoff"
        seen(product, uuid, "running" if about.get("running", True) else off)
        return uuid

    yield make
    there = kvm.virsh("list", "--all", "--uuid").split()
    for uuid in made:
        if uuid in there:
            if kvm.virsh("domstate", uuid) != "shut off":
                kvm.virsh("destroy", uuid)
            kvm.virsh("undefine", uuid, "--managed-save")


def done(
    product: Product, uuid: str, action: str, seconds: float = 60
) -> dict[str, Any]:
    """The action, asked for and ended well."""
    said = ask(product, uuid, action)
    assert said.status == 202, said.body
    assert said.headers["location"].endswith(f"/operations/{said.body['id']}/")
    operation = ended(product, said.body["id"], seconds)
    assert operation["state"] == "succeeded", operation
    return operation


def test_a_guest_goes_through_its_whole_life(
    product: Product, kvm: LabHost, demo: Guest
) -> None:
    uuid = demo("life", running=False, network="")
    for action, shown, true in (
        ("start", "running", "running"),
        ("pause", "paused", "paused"),
        ("resume", "running", "running"),
        ("reset", "running", "running"),
        ("save", "shutoff", "shut off"),
        ("start", "running", "running"),
        ("force-off", "shutoff", "shut off"),
        ("start", "running", "running"),
    ):
        done(product, uuid, action)
        assert kvm.virsh("domstate", uuid) == true
        seen(product, uuid, shown)
        assert guest(product, uuid)["managed_save"] == (action == "save")
    operation = done(product, uuid, "shutdown", 130)
    assert operation["result"]["means"] == "acpi"
    assert "ACPI" in operation["message"]
    assert kvm.virsh("domstate", uuid) == "shut off"
    seen(product, uuid, "shutoff")
    assert guest(product, uuid)["active_operation"] is None


def test_a_shutdown_that_nobody_hears_can_be_cancelled(
    product: Product, kvm: LabHost, demo: Guest
) -> None:
    uuid = demo("deaf", running=False, memory_mib=16, network="")
    kvm.virsh("start", uuid)  # 16 MiB are too little for its kernel: it never listens
    seen(product, uuid, "running")
    operation = ask(product, uuid, "shutdown").body["id"]
    until(
        lambda: (
            product.call("GET", f"operations/{operation}/").body["state"] == "running"
        )
    )
    busy = ask(product, uuid, "force-off")
    assert (busy.status, busy.body["operation"]) == (409, operation)
    assert product.call("POST", f"operations/{operation}/cancel/").status == 200
    assert ended(product, operation)["state"] == "cancelled"
    assert kvm.virsh("domstate", uuid) == "running"


def test_words_are_written_into_its_document(
    product: Product, kvm: LabHost, demo: Guest
) -> None:
    uuid = demo("words", memory_mib=16, paused=True, running=False, network="")
    change = {"title": "Front", "description": "Shop <b>&\nmore", "autostart": True}
    said = product.call("PATCH", f"guests/{uuid}/", change)
    assert said.status == 202, said.body
    assert ended(product, said.body["id"])["state"] == "succeeded"
    assert kvm.virsh("desc", uuid, "--title") == "Front"
    assert kvm.virsh("desc", uuid, "--config") == "Shop <b>&\nmore"
    until(lambda: change.items() <= guest(product, uuid).items(), 10)
    versions = product.call("GET", f"guests/{uuid}/revisions/").body
    assert [each["author"] for each in versions["items"]] == [
        "admin",
        "outside kvmweb",
    ]
    change = {"tags": ["web", "prod"], "owner": "admin"}
    said = product.call("PATCH", f"guests/{uuid}/", change)
    assert (said.status, said.body["tags"]) == (200, ["web", "prod"])
    until(lambda: "owner='admin'" in _label(kvm, uuid).replace('"', "'"), 10)
    assert "prod" in _label(kvm, uuid)
    assert product.call("GET", f"guests/{uuid}/revisions/").body["count"] == 2


def _label(kvm: LabHost, uuid: str) -> str:
    """What its metadata says in our namespace."""
    xml = kvm.virsh("dumpxml", uuid, "--inactive")
    return xml.partition("<metadata>")[2].partition("</metadata>")[0]


def test_a_running_or_protected_guest_is_not_deleted(
    product: Product, kvm: LabHost, demo: Guest
) -> None:
    uuid = demo("stays", memory_mib=16, running=False, network="")
    assert product.call("PATCH", f"guests/{uuid}/", {"protected": True}).status == 200
    said = product.call("DELETE", f"guests/{uuid}/")
    assert said.status == 409
    assert "protected" in said.body["detail"]
    product.call("PATCH", f"guests/{uuid}/", {"protected": False})
    kvm.virsh("start", uuid, "--paused")
    seen(product, uuid, "paused")
    said = product.call("DELETE", f"guests/{uuid}/")
    assert said.status == 409
    assert "paused" in said.body["detail"]
    assert uuid in kvm.virsh("list", "--all", "--uuid")


def test_deleting_keeps_the_volumes_unless_told_otherwise(
    product: Product, kvm: LabHost, demo: Guest
) -> None:
    uuid = demo("plain", running=False, disk_mib=1, network="")
    said = product.call("DELETE", f"guests/{uuid}/")
    assert said.status == 202, said.body
    operation = ended(product, said.body["id"])
    assert operation["state"] == "succeeded", operation
    assert uuid not in kvm.virsh("list", "--all", "--uuid")
    assert (kvm.root / "var/lib/libvirt/images/plain.qcow2").exists()
    seen(product, uuid, "gone")
    listed = product.call("GET", "guests/?search=plain").body["items"]
    assert listed == []
    assert product.call("GET", "guests/?search=plain&gone=true").body["count"] == 1


def test_only_volumes_that_nobody_else_uses_are_deleted(
    product: Product, kvm: LabHost, demo: Guest
) -> None:
    images = "/var/lib/libvirt/images"
    uuid = demo("first", running=False, disk_mib=1, network="")
    other = demo("second", running=False, network="")
    for name in ("own", "shared", "base"):
        kvm.virsh("vol-create-as", "default", f"{name}.img", "1M")
    overlay = ("--backing-vol", "base.img", "--backing-vol-format", "raw")
    qcow2 = ("--format", "qcow2")
    kvm.virsh("vol-create-as", "default", "over.img", "1M", *qcow2, *overlay)
    for target, name in (("vdb", "own"), ("vdc", "shared"), ("vdd", "base")):
        path = f"{images}/{name}.img"
        kvm.virsh("attach-disk", uuid, path, target, "--config")
    kvm.virsh("attach-disk", other, f"{images}/shared.img", "vdb", "--config")
    kvm.virsh("pool-refresh", "default")  # no event tells of a new volume
    until(lambda: _placed(product, uuid) == 4, 20)
    said = product.call("DELETE", f"guests/{uuid}/?volumes=delete")
    assert said.status == 202, said.body
    operation = ended(product, said.body["id"])
    assert operation["state"] == "succeeded", operation
    left = {path.name for path in (kvm.root / images.lstrip("/")).iterdir()}
    assert {"shared.img", "base.img", "over.img"} <= left
    assert not {"own.img", "first.qcow2"} & left
    assert sorted(operation["result"]["deleted"]) == [
        f"{images}/first.qcow2",
        f"{images}/own.img",
    ]
    kept = {it["path"]: it["why"] for it in operation["result"]["kept"]}
    assert "second" in kept[f"{images}/shared.img"]
    assert "over.img" in kept[f"{images}/base.img"]


def _placed(product: Product, uuid: str) -> int:
    """How many of its disks are known to be volumes."""
    disks = guest(product, uuid).get("disks", [])
    return len([disk for disk in disks if disk["pool"]])


def test_a_volume_another_host_uses_on_shared_storage_is_kept(
    product: Product, lab: Lab, kvm: LabHost, demo: Guest
) -> None:
    uuid = demo("here", running=False, network="")
    there = lab.hosts[0]
    elsewhere = str(there.define_demo("there", running=False, network=""))
    path = f"{lab.shared}/both.img"
    kvm.virsh("vol-create-as", "shared", "both.img", "1M")
    for host in (kvm, there):
        host.virsh("pool-refresh", "shared")  # no event tells of a new volume
    kvm.virsh("attach-disk", uuid, path, "vdb", "--config")
    there.virsh("attach-disk", elsewhere, path, "vdb", "--config")
    until(lambda: _placed(product, uuid) == _placed(product, elsewhere) == 1, 20)
    said = product.call("DELETE", f"guests/{uuid}/?volumes=delete")
    operation = ended(product, said.body["id"])
    there.virsh("undefine", elsewhere)
    assert operation["state"] == "succeeded", operation
    assert operation["result"]["deleted"] == []
    assert "there" in operation["result"]["kept"][0]["why"]
    assert Path(path).exists()


def test_one_uuid_on_two_hosts_is_shown_and_left_alone(
    product: Product, lab: Lab, kvm: LabHost, demo: Guest, tmp_path: Path
) -> None:
    uuid = demo("torn", memory_mib=16, running=False, network="")
    there = lab.hosts[0]
    copy = tmp_path / "torn.xml"
    copy.write_text(kvm.virsh("dumpxml", uuid))
    there.virsh("define", str(copy))
    until(lambda: guest(product, uuid)["conflict"], 10)
    said = ask(product, uuid, "start")
    assert said.status == 409
    assert all(host.name in said.body["detail"] for host in lab.hosts)
    kvm.virsh("undefine", uuid)
    until(lambda: guest(product, uuid)["host_name"] == there.name, 10)
    assert not guest(product, uuid)["conflict"]
    there.virsh("undefine", uuid)
    seen(product, uuid, "gone")


def test_what_somebody_did_by_virsh_meanwhile_is_no_error(
    product: Product, kvm: LabHost, demo: Guest
) -> None:
    uuid = demo("twice", memory_mib=16, running=False, network="")
    kvm.virsh("start", uuid)
    said = ask(product, uuid, "start")
    if said.status == 202:  # the row did not say so yet
        assert ended(product, said.body["id"])["state"] == "succeeded"
    else:
        assert said.status == 409
    seen(product, uuid, "running")
    assert state(product, uuid) == "running"
