"""Whatever breaks on the way, the guest is in one place, and somebody says where."""

import os
import signal
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from deploy.lab import Lab
from deploy.lab_host import LabError, LabHost
from deploy.product import Product
from tests.lab.migration.ground import ask_move, cut_off, homes, on_its_way
from tests.scene import ended, guest
from tests.waiting import until

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("whole")]
Mover = Callable[..., str]


def test_a_move_is_cancelled(lab3: Lab, moving_product: Product, mover: Mover) -> None:
    here, there, _ = lab3.hosts
    uuid = mover("stopped", memory_mib=128, own_mib=8)
    operation = on_its_way(moving_product, uuid, there)
    said = moving_product.call("POST", f"operations/{operation}/cancel/")
    assert said.status == 200, said.body
    end = ended(moving_product, operation, 30)
    assert (end["state"], homes(lab3, uuid)) == ("cancelled", {here.name: "running"})
    assert "goes on" in end["message"]
    _nothing_is_left(there, "stopped-vdc.qcow2")
    _row_says(moving_product, uuid, here)


def test_the_target_s_libvirtd_dies(
    lab3: Lab, moving_product: Product, mover: Mover
) -> None:
    here, there, _ = lab3.hosts
    uuid = mover("unlucky", memory_mib=128, own_mib=8)
    operation = on_its_way(moving_product, uuid, there)
    there.kill_libvirtd()
    there.start_libvirtd()
    _one_home(lab3, moving_product, uuid, operation, {here.name})
    _nothing_is_left(there, "unlucky-vdc.qcow2")


def test_the_source_s_libvirtd_dies(
    lab3: Lab, moving_product: Product, mover: Mover
) -> None:
    here, there, _ = lab3.hosts
    uuid = mover("orphan", memory_mib=128, own_mib=8)
    operation = on_its_way(moving_product, uuid, there)
    here.kill_libvirtd()
    here.start_libvirtd()
    _one_home(lab3, moving_product, uuid, operation, {here.name})
    _nothing_is_left(there, "orphan-vdc.qcow2")


def test_the_link_is_cut(lab3: Lab, moving_product: Product, mover: Mover) -> None:
    here, there, _ = lab3.hosts
    uuid = mover("cut", memory_mib=128)
    operation = on_its_way(moving_product, uuid, there)
    mend = cut_off(lab3, there)
    try:
        end = ended(moving_product, operation, 110)
    finally:
        mend()
    assert end["state"] == "failed", end
    _one_home(lab3, moving_product, uuid, operation, {here.name})


def test_our_worker_is_killed(lab3: Lab, moving_product: Product, mover: Mover) -> None:
    there = lab3.hosts[1]
    uuid = mover("bereft", memory_mib=128, own_mib=8)
    operation = on_its_way(moving_product, uuid, there)
    for pid in moving_product.pids("celery --quiet -A kvmweb worker"):
        os.kill(pid, signal.SIGKILL)
    end = ended(moving_product, operation, 90)
    assert end["state"] == "succeeded", end
    _one_home(lab3, moving_product, uuid, operation, {there.name})
    assert end["result"]["downtime_ms"] > 0


def test_the_guest_is_shut_off_on_the_way(
    lab3: Lab, moving_product: Product, mover: Mover
) -> None:
    here, there, _ = lab3.hosts
    uuid = mover("ended", memory_mib=128, own_mib=8)
    operation = on_its_way(moving_product, uuid, there)
    here.virsh("destroy", uuid)
    end = ended(moving_product, operation, 60)
    assert (end["state"], homes(lab3, uuid)) == ("failed", {here.name: "shut off"})
    assert "off" in end["message"]
    _nothing_is_left(there, "ended-vdc.qcow2")
    _row_says(moving_product, uuid, here)


def test_somebody_moves_it_with_virsh_already(
    lab3: Lab, moving_product: Product, mover: Mover
) -> None:
    here, there, third = lab3.hosts
    uuid = mover("contested", memory_mib=128)
    words = ["migrate", "--live", "--p2p", "--persistent", "--undefinesource", uuid]
    words += [there.uri, f"tcp://{there.address}", "--bandwidth", "10"]
    theirs = subprocess.Popen(["virsh", "-q", "-c", here.unix_uri, *words])
    try:
        until(lambda: "Outgoing" in here.virsh("domjobinfo", uuid), 10)
        said = ask_move(moving_product, uuid, third)
        told = said.body.get("detail", "")
        if said.status == 202:
            end = ended(moving_product, said.body["id"], 30)
            assert end["state"] == "failed", end
            told = end["message"]
        else:
            assert said.status == 409, said.body
        assert "outside kvmweb" in told
        assert theirs.wait(60) == 0
    finally:
        theirs.kill()
        theirs.wait()
    assert homes(lab3, uuid) == {there.name: "running"}
    _row_says(moving_product, uuid, there)


def test_the_target_s_storage_fills_up(
    lab3: Lab, moving_product: Product, mover: Mover
) -> None:
    here, there, _ = lab3.hosts
    folder = f"{lab3.directory}/small"
    for host, size in ((here, "96m"), (there, "48m")):
        host.run("mkdir", "-p", folder)
        host.run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder)
        host.virsh("pool-create-as", "small", "dir", "--target", folder)
    uuid = mover("full", memory_mib=96, running=False)
    try:
        _with_full_disk(here, uuid, folder, 40)
        here.virsh("start", uuid)
        until(lambda: _shows_disk(moving_product, uuid), 20)
        operation = on_its_way(moving_product, uuid, there, bandwidth_mib_s=3)
        with pytest.raises(LabError, match="No space left"):
            there.run("dd", "if=/dev/zero", f"of={folder}/rest", "bs=1M")
        end = ended(moving_product, operation)
        assert (end["state"], homes(lab3, uuid)) == ("failed", {here.name: "running"})
        assert there.run("ls", folder) == "rest"
        _row_says(moving_product, uuid, here)
    finally:
        for host in (here, there):
            if host.name in homes(lab3, uuid):
                host.virsh("destroy", uuid)
            host.virsh("pool-destroy", "small")
            host.run("umount", folder)
        here.run("rmdir", folder)


def _one_home(
    lab: Lab, product: Product, uuid: str, operation: str, wanted: set[str]
) -> None:
    """The operation ended in words; the guest runs once, where its row says."""
    end: dict[str, Any] = ended(product, operation, 110)
    assert len(end["message"]) > 20, end
    until(
        lambda: list(homes(lab, uuid).values()) == ["running"],
        40,
        why=f"{homes(lab, uuid)} {end['message']}",
    )
    assert set(homes(lab, uuid)) == wanted, (homes(lab, uuid), end)
    (home,) = wanted
    until(
        lambda: (
            guest(product, uuid)["host_name"] == home
            and guest(product, uuid)["state"] == "running"
            and not guest(product, uuid)["conflict"]
        ),
        40,
    )


def _row_says(product: Product, uuid: str, host: LabHost) -> None:
    until(lambda: guest(product, uuid)["host_name"] == host.name, 15)
    assert not guest(product, uuid)["conflict"]


def _nothing_is_left(host: LabHost, volume: str) -> None:
    """No volume of this name on the host, soon."""
    path = host.root / "var/lib/libvirt/images" / volume
    until(lambda: not path.exists(), 60, why=f"{path} is still there.")


def _with_full_disk(host: LabHost, uuid: str, folder: str, size_mib: int) -> None:
    path = f"{folder}/full.img"
    host.run("dd", "if=/dev/urandom", f"of={path}", "bs=1M", f"count={size_mib}")
    host.virsh("pool-refresh", "small")
    words = ("--subdriver", "raw", "--targetbus", "virtio", "--config")
    host.virsh("attach-disk", uuid, path, "vdc", *words)


def _shows_disk(product: Product, uuid: str) -> bool:
    shown = guest(product, uuid)
    disks = [disk for disk in shown["disks"] if disk["pool"]]
    return shown["state"] == "running" and bool(disks)
