"""What the eye sees of a real host, whatever happens behind our back or hangs there."""

import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from deploy.lab import Lab
from deploy.lab_host import LabHost
from kvmweb.virt import connection, eye
from kvmweb.virt.types import (
    Address,
    DomainSeen,
    DomainState,
    DomainVanished,
    FullLook,
    Lost,
    StorageSeen,
    Tick,
    Transport,
)
from tests.virt.listener import Listener
from tests.waiting import until

pytestmark = pytest.mark.lab
MORE = "/var/lib/libvirt/images/more.img"


class Watched(Listener):
    """An eye in a process of its own, as the watcher has it, on one host of the lab."""

    def __init__(self, host: LabHost) -> None:
        super().__init__()
        address = Address(Transport.UNIX, socket_path=str(host.socket_path))
        self.child = connection.spawn(eye.watch, address, tick_s=1.0)
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        try:
            while True:
                self.send(self.child.channel.recv())
        except (EOFError, OSError):
            return

    def times(self, kind: type) -> list[float]:
        """When news of a kind came."""
        return [at for at, each in self.news if isinstance(each, kind)]


@pytest.fixture
def host(lab: Lab) -> Iterator[LabHost]:
    """A host without guests, well again afterwards."""
    host = lab.hosts[0]
    yield host
    host.resume_libvirtd()
    for name in host.virsh("list", "--all", "--name").split():
        if host.virsh("domstate", "--domain", name) != "shut off":
            host.virsh("destroy", "--domain", name)
        if name in host.virsh("list", "--all", "--name").split():
            host.virsh("undefine", "--snapshots-metadata", "--domain", name)


@pytest.fixture
def told(host: LabHost) -> Iterator[Watched]:
    """What an eye on that host tells, after its first full look."""
    watched = Watched(host)
    watched.wait_for(FullLook, seconds=20)
    yield watched
    watched.child.kill()


def test_what_virsh_does_is_seen_within_a_second(host: LabHost, told: Watched) -> None:
    host.run("truncate", "-s", "1M", MORE)
    host.define_demo("one", 16, paused=True, disk_mib=1)
    assert told.wait_for_event("defined").domain.name == "one"
    started = told.wait_for_event("started").domain
    assert started.state == DomainState.PAUSED
    assert started.started_at
    disk = started.disks[0].path
    for command, event in (
        (("resume", "one"), "resumed"),
        (("suspend", "one"), "paused"),
        (("desc", "one", "--title", "new", "--config"), "metadata"),
        (("attach-disk", "one", MORE, "sdb", "--targetbus", "usb"), "device-added"),
        (("snapshot-create-as", "one", "s", "--disk-only"), ""),
        (("destroy", "one"), "destroyed"),
        (("domrename", "one", "two"), "renamed"),
    ):
        told.forget()
        host.virsh(*command)
        seen = told.wait_for(DomainSeen, lambda each, e=event: each.event == e, 1.5)
        assert seen.domain.uuid == started.uuid
    (last,) = [each.domain for each in told.all(DomainSeen)][-1:]
    assert (last.name, last.title, last.snapshots) == ("two", "new", 1)
    assert last.disks[0].path != disk
    told.forget()
    host.virsh("undefine", "--snapshots-metadata", "two")
    assert told.wait_for(DomainVanished).uuid == last.uuid


def test_a_killed_qemu_is_crashed_not_off(host: LabHost, told: Watched) -> None:
    host.define_demo("one", 16, paused=True, network="")
    told.wait_for_event("started")
    os.kill(host.qemu_pid("one"), signal.SIGKILL)
    assert told.wait_for_event("crashed", seconds=5).domain.state == DomainState.CRASHED


def test_a_running_guest_has_numbers_and_an_address(
    host: LabHost, told: Watched
) -> None:
    uuid = host.define_demo("one", disk_mib=1)
    tick = told.wait_for(
        Tick, lambda each: uuid in each.guests and each.guests[uuid].cpu_percent, 30
    )
    sample = tick.guests[uuid]
    assert 0 < sample.cpu_percent <= 100
    assert sample.memory_host_bytes > 2**20
    assert sample.disk_read_bytes_s is not None
    assert tick.host.memory_bytes
    seen = told.wait_for(
        DomainSeen, lambda each: any(nic.addresses for nic in each.domain.nics), 60
    )
    assert {a.source for nic in seen.domain.nics for a in nic.addresses} <= {
        "lease",
        "arp",
    }


def test_pools_are_seen_when_they_change(host: LabHost, told: Watched) -> None:
    host.virsh("pool-create-as", "extra", "dir", "--target", "/extra", "--build")
    seen = told.wait_for(StorageSeen, lambda each: each.pools, 5)
    assert "extra" in [pool.name for pool in seen.pools]
    host.virsh("pool-destroy", "extra")
    told.wait_for(
        StorageSeen, lambda each: "extra" not in [pool.name for pool in each.pools], 5
    )


def test_one_hung_qemu_costs_the_others_a_tick_or_two(
    host: LabHost, told: Watched
) -> None:
    for number in range(5):
        host.define_demo(f"g{number}", 16, paused=True, network="", disk_mib=1)
    told.wait_for(Tick, lambda each: len(each.guests) == 5, 20)
    hung = host.qemu_pid("g2")
    os.kill(hung, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        told.forget()
        until(
            lambda: (
                len([t for t in told.all(Tick) if t.guests and _knows_disks(t) == 4])
                >= 5
            ),
            15,
        )
        assert time.monotonic() - begun < 12
        told.forget()
        host.virsh("resume", "g1")
        told.wait_for_event("resumed", seconds=2)
        host.virsh("suspend", "g1")
        told.wait_for_event("paused", seconds=2)
        assert not told.all(Lost)
    finally:
        os.kill(hung, signal.SIGCONT)
    told.forget()
    told.wait_for(Tick, lambda each: _knows_disks(each) == 5, 20)


def _knows_disks(tick: Tick) -> int:
    samples = tick.guests.values()
    return len([each for each in samples if each.disk_read_bytes_s is not None])


def test_a_killed_libvirtd_is_lost_at_once(host: LabHost, told: Watched) -> None:
    begun = time.monotonic()
    host.kill_libvirtd()
    try:
        lost = told.wait_for(Lost, seconds=5)
        # A call may have been under way, whose outcome nobody knows then.
        assert lost.code in {"host_unreachable", "host_timeout"}
        assert time.monotonic() - begun < 5
    finally:
        host.start_libvirtd()


def test_a_hung_libvirtd_is_lost_within_fifteen_seconds(
    host: LabHost, told: Watched
) -> None:
    told.wait_for(Tick)
    host.pause_libvirtd()
    try:
        assert told.wait_for(Lost, seconds=15).code == "host_timeout"
    finally:
        host.resume_libvirtd()


def test_an_eye_ends_when_nobody_listens(host: LabHost) -> None:
    address = Address(Transport.UNIX, socket_path=str(host.socket_path))
    child = connection.spawn(eye.watch, address, tick_s=1.0)
    assert isinstance(child.channel.recv(), FullLook)
    child.channel.close()
    until(lambda: not child.alive, 10)
