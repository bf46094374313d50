"""The lab is real, and leaves nothing."""

import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy import demo
from deploy import lab as labs
from deploy.lab import Lab
from deploy.lab_host import LabError
from tests.waiting import until

pytestmark = pytest.mark.lab


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short: a Unix socket's path has 107 bytes."""
    yield Path("/tmp", f"kvmweb-gone-{os.getpid()}")
    labs.remove(prefix())


def prefix() -> str:
    return f"kg{os.getpid()}"


def test_it_leaves_no_process_namespace_link_or_file(folder: Path) -> None:
    with Lab(folder, prefix()) as lab:
        first, second = lab.hosts
        first.define_demo("web", 16, paused=True)
        pids = [first.pid, second.pid, first.qemu_pid("web")]
        assert first.virsh("list", "--name").split() == ["web"]
        assert second.virsh("hostname") == second.name
        assert second.virsh("list", "--name") == ""
    assert not [pid for pid in pids if _runs(pid)]
    assert not [name for name in os.listdir("/run/netns") if prefix() in name]
    assert prefix() not in subprocess.check_output(["ip", "link"], text=True)
    assert prefix() not in Path("/proc/self/mounts").read_text()
    assert not folder.exists()


def test_it_removes_what_a_crash_left_behind(folder: Path) -> None:
    crashed = Lab(folder, prefix(), hosts=1)
    crashed.start()
    left = crashed.hosts[0].pid
    with Lab(folder, prefix(), hosts=1) as lab:
        assert lab.hosts[0].pid != left
        assert lab.hosts[0].virsh("hostname") == lab.hosts[0].name
    crashed.stop()


def test_a_killed_libvirtd_comes_back_and_finds_its_guest(folder: Path) -> None:
    with Lab(folder, prefix(), hosts=1) as lab:
        host = lab.hosts[0]
        host.define_demo("web", 16, paused=True)
        before, guest = host.pid, host.qemu_pid("web")
        host.kill_libvirtd()
        with pytest.raises(LabError, match="does not run"):
            _ = host.pid
        host.start_libvirtd()
        assert host.pid != before
        assert host.qemu_pid("web") == guest
        assert host.virsh("domstate", "web") == "paused"


def test_a_libvirtd_that_crashes_is_started_again_as_on_real_hosts(
    folder: Path,
) -> None:
    with Lab(folder, prefix(), hosts=1) as lab:
        host = lab.hosts[0]
        before = host.pid
        os.kill(before, signal.SIGSEGV)
        until(lambda: not _runs(before))
        host.wait_until_it_answers()
        assert host.pid != before


def test_a_demo_guest_says_it_is_ready_and_obeys_the_power_button(folder: Path) -> None:
    with Lab(folder, prefix(), hosts=1) as lab:
        host = lab.hosts[0]
        host.define_demo("web")
        assert demo.READY in _serial(host.virsh("ttyconsole", "web"), demo.READY)
        host.virsh("shutdown", "web", "--mode", "acpi")
        until(lambda: host.virsh("domstate", "web") == "shut off", 60)


def _runs(pid: int) -> bool:
    """Whether it lives: one that only waits to be reaped does not."""
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def _serial(device: str, wanted: str) -> str:
    """What a guest says on its serial port, up to what is wanted or for 90 s."""
    port = os.open(device, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
    said = b""
    deadline = time.monotonic() + 90
    try:
        while wanted.encode() not in said and time.monotonic() < deadline:
            if select.select([port], [], [], 1)[0]:
                said += os.read(port, 4096)
    finally:
        os.close(port)
    return said.decode(errors="replace")
