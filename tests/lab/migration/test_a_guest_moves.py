"""A guest goes to another host and is there, with all that is its own."""

import hashlib
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest

from deploy.lab import Lab
from deploy.lab_host import LabHost
from deploy.product import Product
from tests.lab.migration.ground import ask_move, homes, host_ids, moved
from tests.lab.shell import Shell
from tests.scene import ended, guest, reconnected, seen
from tests.waiting import until

pytestmark = pytest.mark.lab
Mover = Callable[..., str]
_IMAGES = "var/lib/libvirt/images"
_WRITES = (  # 24 MiB of memory again and again
    "while :; do dd if=/dev/urandom of=/dev/shm/x bs=1M count=24; done "
    ">/dev/null 2>&1 & true"
)


def test_it_moves_live_and_all_that_is_ours_goes_along(
    lab3: Lab, moving_product: Product, mover: Mover
) -> None:
    here, there, _ = lab3.hosts
    uuid = mover("plain", memory_mib=128, shared_mib=8)
    moving_product.call("PATCH", f"guests/{uuid}/", {"tags": ["web"], "owner": "admin"})
    here.virsh("autostart", uuid)
    operation = moved(moving_product, uuid, there)
    assert homes(lab3, uuid) == {there.name: "running"}
    result = operation["result"]
    assert 0 < result["downtime_ms"] < result["total_ms"]
    assert result["transferred_bytes"] > 1024**2
    assert operation["message"].startswith(f"plain runs on {there.name}")
    shown = guest(moving_product, uuid)
    assert (shown["state"], shown["persistent"]) == ("running", True)
    assert (shown["tags"], shown["owner"]) == (["web"], "admin")
    assert not shown["conflict"]
    until(lambda: guest(moving_product, uuid)["autostart"], 10)
    assert "Autostart:      enable" in there.virsh("dominfo", uuid)
    assert "owner" in there.virsh("dumpxml", uuid, "--inactive")


def test_it_goes_back_and_forth_twenty_times(
    lab3: Lab, moving_product: Product, mover: Mover
) -> None:
    uuid = mover("restless", memory_mib=48, own_mib=1)
    for number in range(1, 21):
        old, new = lab3.hosts[(number + 1) % 2], lab3.hosts[number % 2]
        moved(moving_product, uuid, new)
        assert homes(lab3, uuid) == {new.name: "running"}
        assert guest(moving_product, uuid)["host_name"] == new.name
        assert not (old.root / _IMAGES / "restless-vdc.qcow2").exists()
        assert (new.root / _IMAGES / "restless-vdc.qcow2").exists()
    assert not guest(moving_product, uuid)["conflict"]


def test_who_was_paused_is_paused_there(
    lab3: Lab, moving_product: Product, mover: Mover
) -> None:
    uuid = mover("still", memory_mib=16, running=False)
    lab3.hosts[0].virsh("start", uuid, "--paused")
    seen(moving_product, uuid, "paused")
    moved(moving_product, uuid, lab3.hosts[2])
    assert homes(lab3, uuid) == {lab3.hosts[2].name: "paused"}
    seen(moving_product, uuid, "paused")


def test_without_a_host_the_product_chooses_another(
    lab3: Lab, moving_product: Product, mover: Mover
) -> None:
    uuid = mover("wherever", memory_mib=96)
    operation = moved(moving_product, uuid)
    (home,) = homes(lab3, uuid)
    assert home != lab3.hosts[0].name
    assert host_ids(moving_product)[home] == operation["result"]["host"]


def test_disks_are_copied_while_it_writes_to_them(
    lab3: Lab, moving_product: Product, mover: Mover
) -> None:
    here, there, _ = lab3.hosts
    uuid = mover("writer", memory_mib=128, own_mib=24)
    with Shell(here, UUID(uuid)) as shell:
        shell.booted()
        shell.say("dd if=/dev/urandom of=/dev/vda bs=1M count=16 2>/dev/null; sync")
        said = ask_move(moving_product, uuid, there, bandwidth_mib_s=24)
        assert said.status == 202, said.body
        shell.say(
            "dd if=/dev/urandom of=/dev/vda bs=1M count=6 seek=9 2>/dev/null; sync"
        )
    operation = ended(moving_product, said.body["id"])
    assert operation["state"] == "succeeded", operation
    assert homes(lab3, uuid) == {there.name: "running"}
    copy = there.root / _IMAGES / "writer-vdc.qcow2"
    with Shell(there, UUID(uuid)) as shell:
        shell.booted()
        inside = shell.say("sync; echo 3 >/proc/sys/vm/drop_caches; md5sum /dev/vda")
    assert _md5(copy) == inside.split()[0]
    assert operation["result"]["left"] == [], operation["log"]
    assert not (here.root / _IMAGES / "writer-vdc.qcow2").exists()


def test_who_is_off_goes_with_its_disks(
    lab3: Lab, moving_product: Product, mover: Mover
) -> None:
    here, there, _ = lab3.hosts
    uuid = mover("asleep", running=False, own_mib=24)
    here.virsh("autostart", uuid)
    old, new = (host.root / _IMAGES / "asleep-vdc.qcow2" for host in (here, there))
    _fill(old)
    before = _md5(old)
    refused = ask_move(moving_product, uuid, there)
    assert refused.status == 409
    assert "offline" in str(refused.body)
    moved(moving_product, uuid, there, mode="offline")
    assert homes(lab3, uuid) == {there.name: "shut off"}
    assert _md5(new) == before
    assert not old.exists()
    assert "Autostart:      enable" in there.virsh("dominfo", uuid)


def test_a_disk_that_stands_on_another_stands_alone_there(
    lab3: Lab, moving_product: Product, mover: Mover
) -> None:
    here, there, _ = lab3.hosts
    uuid = mover("layered", running=False, own_mib=24)
    folder = here.root / _IMAGES
    top, base = folder / "layered-vdc.qcow2", folder / "layered-base.qcow2"
    _fill(top)
    top.rename(base)
    inside = f"/{_IMAGES}/layered-base.qcow2"
    over = ("-f", "qcow2", "-b", inside, "-F", "qcow2")
    here.run("qemu-img", "create", "-q", *over, f"/{_IMAGES}/layered-vdc.qcow2", "24M")
    here.virsh("pool-refresh", "default")
    before = _md5(base)
    for wish in ({"mode": "offline"}, {}):
        target = there if wish else here
        operation = moved(moving_product, uuid, target, **wish)
        copy = target.root / _IMAGES / "layered-vdc.qcow2"
        assert copy.exists(), str(operation)
        assert _md5(copy) == before
        assert "backing" not in target.run(
            "qemu-img", "info", "-U", f"/{_IMAGES}/{copy.name}"
        )
        if wish:
            there.virsh("start", uuid)
            seen(moving_product, uuid, "running")
    assert homes(lab3, uuid) == {here.name: "running"}
    here.run("rm", "-f", inside)


def test_its_snapshots_go_along(
    lab3: Lab, moving_product: Product, mover: Mover
) -> None:
    here, there, _ = lab3.hosts
    uuid = mover("remembers", running=False, shared_mib=8)
    here.virsh("snapshot-create-as", uuid, "first")
    here.virsh("snapshot-create-as", uuid, "second")
    here.virsh("start", uuid, "--paused")
    seen(moving_product, uuid, "paused")
    moved(moving_product, uuid, there)
    names = there.virsh("snapshot-list", uuid, "--name").split()
    assert names == ["first", "second"]
    assert there.virsh("snapshot-current", uuid, "--name") == "second"
    assert there.virsh("snapshot-parent", uuid, "second") == "first"
    until(lambda: guest(moving_product, uuid)["snapshots"] == 2, 10)


def test_post_copy_is_really_begun(
    lab3: Lab, moving_product: Product, mover: Mover
) -> None:
    there = lab3.hosts[1]
    uuid = mover("dirty", memory_mib=160)
    with Shell(lab3.hosts[0], UUID(uuid)) as shell:
        shell.booted()
        shell.say(_WRITES)
        said = ask_move(
            moving_product, uuid, there, policy="post-copy", bandwidth_mib_s=16
        )
    operation = ended(moving_product, said.body["id"])
    assert operation["state"] == "succeeded", operation
    assert homes(lab3, uuid) == {there.name: "running"}
    log = moving_product.call("GET", f"operations/{said.body['id']}/").body["log"]
    assert any("goes on at its target now" in each["message"] for each in log), log


def test_a_host_that_is_reached_by_a_socket_takes_part(
    lab3: Lab, moving_product: Product, mover: Mover
) -> None:
    here, there, _ = lab3.hosts
    uuid = mover("led", memory_mib=96, shared_mib=8)
    socket = {"transport": "unix", "address": "", "socket_path": str(there.socket_path)}
    with _reached(moving_product, there, socket):
        moved(moving_product, uuid, there)
        assert homes(lab3, uuid) == {there.name: "running"}
        moved(moving_product, uuid, here)
    assert homes(lab3, uuid) == {here.name: "running"}


def test_hosts_with_certificates_move_it_with_them_as_far_as_they_go(
    lab3: Lab, moving_product: Product, mover: Mover
) -> None:
    here, there, _ = lab3.hosts
    assert lab3.authority is not None
    assert lab3.client is not None
    by_tls = {
        "transport": "tls",
        "tls_ca": lab3.authority.pem,
        "tls_certificate": lab3.client.certificate,
        "tls_key": lab3.client.key,
    }
    uuid = mover("sealed", memory_mib=96)
    product = moving_product
    with _reached(product, here, by_tls), _reached(product, there, by_tls):
        operation = moved(moving_product, uuid, there)
        told = " ".join(line["message"] for line in operation["log"])
        assert "kvmweb leads the move" in told  # the source has no client certificate
        assert "It goes unencrypted" in told  # and QEMU none at all
        assert operation["result"]["encrypted"] is False
        assert "went unencrypted" in operation["message"]
    assert homes(lab3, uuid) == {there.name: "running"}


def test_a_guest_that_writes_too_fast_ends_by_its_policy(
    lab3: Lab, moving_product: Product, mover: Mover
) -> None:
    here, there, _ = lab3.hosts
    uuid = mover("hasty", memory_mib=128)
    with Shell(here, UUID(uuid)) as shell:
        shell.booted()
        shell.say(_WRITES)
    slow = {"bandwidth_mib_s": 16, "policy": "least-downtime", "max_downtime_ms": 20}
    said = ask_move(moving_product, uuid, there, **slow)
    operation = ended(moving_product, said.body["id"], 90)
    assert operation["state"] == "failed", operation
    assert "writes its memory faster" in operation["message"]
    assert "goes on" in operation["message"]
    assert homes(lab3, uuid) == {here.name: "running"}
    wish = {"parallel": 2, "bandwidth_mib_s": 64}
    moved(moving_product, uuid, there, **wish)
    moved(moving_product, uuid, here, compression=True)
    assert homes(lab3, uuid) == {here.name: "running"}


@contextmanager
def _reached(product: Product, host: LabHost, way: dict[str, str]) -> Iterator[None]:
    """The host, registered in another way for a while."""
    tcp = {"transport": "tcp", "address": host.address, "socket_path": ""}
    row = host_ids(product)[host.name]
    try:
        reconnected(product, row, way)
        yield
    finally:
        reconnected(product, row, tcp)


def _fill(path: Path) -> None:
    """Write something into the image that no other has."""
    words = ["-c", "write -P 0x5a 1M 5M", "-c", "write -P 0xa5 12M 3M"]
    subprocess.run(
        ["qemu-io", "-f", "qcow2", *words, str(path)], check=True, capture_output=True
    )


def _md5(path: Path) -> str:
    """Of what a guest would read from it."""
    raw = path.with_suffix(".raw")
    convert = [
        "qemu-img",
        "convert",
        "-U",
        "-f",
        "qcow2",
        "-O",
        "raw",
        str(path),
        str(raw),
    ]
    subprocess.run(convert, check=True)
    told = hashlib.md5(raw.read_bytes(), usedforsecurity=False).hexdigest()
    raw.unlink()
    return told
