"""What breaks in the middle and does not mend at once: told truly, and settled later."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from deploy.lab import Lab
from deploy.lab_host import LabError, LabHost
from deploy.product import Product
from tests.lab.migration.ground import ask_move, cut_off, homes, moved, on_its_way
from tests.lab.shell import Shell
from tests.scene import ended, guest, states_of_hosts
from tests.waiting import until

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("whole")]
Mover = Callable[..., str]
_WRITES = (  # 24 MiB of memory again and again
    "while :; do dd if=/dev/urandom of=/dev/shm/x bs=1M count=24; done "
    ">/dev/null 2>&1 & true"
)


def test_the_link_is_cut_in_post_copy_and_comes_back(
    lab3: Lab, moving_product: Product, mover: Mover
) -> None:
    here, there, _ = lab3.hosts
    uuid = mover("halved", memory_mib=96, shared_mib=8)
    with Shell(here, UUID(uuid)) as shell:
        shell.booted()
        shell.say("echo kept > /dev/shm/word; " + _WRITES)
    wish = {"policy": "post-copy", "bandwidth_mib_s": 8}
    operation = ask_move(moving_product, uuid, there, **wish).body["id"]
    until(lambda: _reason(there, uuid) == "running (post-copy)", 60, 0.05)
    mend = cut_off(lab3, there)
    try:
        until(lambda: _reason(here, uuid) == "paused (post-copy failed)", 60)
        assert (
            _reason(there, uuid) == "running (post-copy)"
        )  # for QEMU does not give up
    finally:
        mend()
    end = ended(moving_product, operation, 110)
    assert end["state"] == "succeeded", (end["message"], end["log"])
    assert homes(lab3, uuid) == {there.name: "running"}
    until(lambda: guest(moving_product, uuid)["host_name"] == there.name, 20)
    assert guest(moving_product, uuid)["persistent"]
    assert "Persistent:     yes" in there.virsh("dominfo", uuid)
    with Shell(there, UUID(uuid)) as shell:
        shell.booted()
        assert "kept" in shell.say("cat /dev/shm/word")


def test_the_target_machine_dies_whole_and_comes_back(
    lab3: Lab, moving_product: Product, mover: Mover
) -> None:
    here, there, _ = lab3.hosts
    uuid = mover("stranded", memory_mib=96, own_mib=8)
    operation = on_its_way(moving_product, uuid, there)
    there.kill_libvirtd()
    os.kill(there.qemu_pid("stranded"), signal.SIGKILL)
    try:
        end = ended(moving_product, operation, 60)
        assert end["state"] == "failed", end
        assert "goes on" in end["message"]
        assert here.virsh("domstate", uuid) == "running"
        until(lambda: states_of_hosts(moving_product)[there.name] == "down", 30)
        assert guest(moving_product, uuid)["host_name"] == here.name
        (move,) = _moves(moving_product, uuid)
        assert (move["outcome"], move["sentence"]) == ("failed", end["message"])
        assert _copy(there, "stranded").exists()
    finally:
        there.start_libvirtd()
    until(lambda: "as both say" in _log(moving_product, operation), 90)
    until(lambda: not _copy(there, "stranded").exists(), 30)
    assert homes(lab3, uuid) == {here.name: "running"}
    (move,) = _moves(moving_product, uuid)
    assert move["outcome"] == "failed"
    assert "as both say" in move["sentence"]


def test_redis_is_restarted_in_the_middle(
    lab3: Lab, moving_product: Product, mover: Mover
) -> None:
    here, there, _ = lab3.hosts
    uuid = mover("unmoved", memory_mib=96)
    operation = on_its_way(moving_product, uuid, there)
    for pid in moving_product.pids("redis-server"):
        os.kill(pid, signal.SIGKILL)
    end = ended(moving_product, operation, 60)
    assert end["state"] == "succeeded", end
    assert homes(lab3, uuid) == {there.name: "running"}
    until(lambda: guest(moving_product, uuid)["host_name"] == there.name, 20)
    moved(moving_product, uuid, here)  # and what is asked afterwards is done
    assert homes(lab3, uuid) == {here.name: "running"}


def test_its_new_qemu_dies_five_times(
    lab3: Lab, moving_product: Product, mover: Mover
) -> None:
    here, there, _ = lab3.hosts
    uuid = mover("stubborn", memory_mib=64, own_mib=4)
    for _ in range(5):
        operation = on_its_way(moving_product, uuid, there)
        os.kill(there.qemu_pid("stubborn"), signal.SIGKILL)
        end = ended(moving_product, operation, 60)
        assert end["state"] == "failed", end
        assert "goes on" in end["message"]
        assert homes(lab3, uuid) == {here.name: "running"}
        assert not _copy(there, "stubborn").exists()
    assert guest(moving_product, uuid)["host_name"] == here.name
    assert not guest(moving_product, uuid)["conflict"]


def _moves(product: Product, uuid: str) -> list[dict[str, Any]]:
    return list(product.call("GET", f"moves/?guest={uuid}").body["items"])


def _copy(host: LabHost, name: str) -> Path:
    """Where the copy of its own disk would be."""
    return host.root / "var/lib/libvirt/images" / f"{name}-vdc.qcow2"


def _log(product: Product, operation: str) -> str:
    told: dict[str, Any] = product.call("GET", f"operations/{operation}/").body
    return " ".join(line["message"] for line in told["log"])


def _reason(host: LabHost, uuid: str) -> str:
    """Its state there and why, in virsh's words; "" where it is not known."""
    try:
        return host.virsh("domstate", "--reason", uuid)
    except LabError:
        return ""
