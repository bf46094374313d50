"""The eye on a host of the test driver: first everything, then what changes."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import libvirt
import pytest

from kvmweb.virt import connection, eye
from kvmweb.virt.opening import start_event_loop
from kvmweb.virt.types import (
    Address,
    DomainSeen,
    DomainState,
    DomainVanished,
    FullLook,
    Lost,
    NetworksSeen,
    StorageSeen,
    Tick,
    Transport,
)
from tests.virt import odd_domains
from tests.virt.listener import Listener
from tests.waiting import until

GUEST = (
    "<domain type='test'><name>{name}</name><uuid>{uuid}</uuid><memory>1024</memory>"
    "<os><type>hvm</type></os></domain>"
)
ID = UUID("5d1e4a1c-0c7c-4b0e-8d39-6f2b9ad7e002")
SNAPSHOT = "<domainsnapshot><name>{}</name></domainsnapshot>"


@pytest.fixture
def conn() -> Iterator[libvirt.virConnect]:
    """The test driver's host, which all connections of a process share."""
    start_event_loop()
    connection = libvirt.open("test:///default")
    before = {dom.UUID() for dom in connection.listAllDomains(0)}
    yield connection
    for dom in connection.listAllDomains(0):
        if dom.UUID() not in before:
            if dom.isActive():
                dom.destroy()
            for snapshot in dom.listAllSnapshots(0):
                snapshot.delete(0)
            if dom.isPersistent():
                dom.undefine()
    connection.close()


@pytest.fixture
def told(conn: libvirt.virConnect) -> Iterator[Listener]:
    """What an eye on that host tells, after its first full look."""
    listener = Listener()
    address = Address(Transport.TEST)
    thread = threading.Thread(
        target=eye.watch,
        args=(listener, address),
        kwargs={"tick_s": 0.2, "full_look_s": 2.0},
    )
    thread.start()
    listener.wait_for(FullLook)
    yield listener
    listener.gone = True
    thread.join(10)
    assert not thread.is_alive()


def test_everything_comes_first(told: Listener) -> None:
    first = told.all()[0]
    assert isinstance(first, FullLook)
    assert [each.name for each in first.domains] == ["test"]
    assert first.host.hypervisor == "TEST"
    assert first.pools_known
    assert first.pools
    assert first.networks


def test_a_guest_is_followed_through_its_life(
    conn: libvirt.virConnect, told: Listener
) -> None:
    dom = conn.defineXML(GUEST.format(name="one", uuid=ID))
    assert told.wait_for_event("defined").domain.state == DomainState.SHUTOFF
    dom.create()
    started = told.wait_for_event("started").domain
    assert (started.state, started.reason) == (DomainState.RUNNING, "booted")
    assert started.started_at is not None
    dom.suspend()
    assert told.wait_for_event("paused").domain.state == DomainState.PAUSED
    dom.destroy()
    assert told.wait_for_event("destroyed").domain.started_at is None
    dom.rename("two", 0)
    assert told.wait_for_event("renamed").domain.name == "two"
    conn.defineXML(GUEST.format(name="two", uuid=ID).replace("1024", "4096"))
    assert told.wait_for_event("edited").domain.memory_bytes == 4096 * 1024
    dom.undefine()
    assert told.wait_for(DomainVanished) == DomainVanished(ID, "undefined")


def test_news_come_within_a_blink(conn: libvirt.virConnect, told: Listener) -> None:
    dom = conn.defineXML(GUEST.format(name="one", uuid=ID))
    told.wait_for_event("defined")
    waits = []
    for _ in range(10):
        told.forget()
        begun = time.monotonic()
        dom.create()
        told.wait_for_event("started")
        waits.append(told.news[0][0] - begun)
        dom.destroy()
        told.wait_for_event("destroyed")
    assert sorted(waits)[len(waits) // 2] < 0.1


def test_snapshots_are_noticed_though_nobody_announces_them(
    conn: libvirt.virConnect, told: Listener
) -> None:
    dom = conn.defineXML(GUEST.format(name="one", uuid=ID))
    for number in (1, 2):
        dom.snapshotCreateXML(SNAPSHOT.format(number), 0)
        told.wait_for(
            DomainSeen, lambda each, number=number: each.domain.snapshots == number, 3
        )
    for snapshot in dom.listAllSnapshots(0):
        snapshot.delete(0)
    told.forget()
    told.wait_for(FullLook, lambda each: not any(d.snapshots for d in each.domains), 5)


def test_quiet_changes_are_noticed(conn: libvirt.virConnect, told: Listener) -> None:
    dom = conn.defineXML(GUEST.format(name="one", uuid=ID))
    told.wait_for_event("defined")
    dom.setAutostart(1)
    told.wait_for(DomainSeen, lambda each: each.domain.autostart, 8)


def test_pools_and_networks_are_seen(conn: libvirt.virConnect, told: Listener) -> None:
    conn.storagePoolDefineXML(
        "<pool type='dir'><name>more</name><target><path>/more</path></target></pool>"
    )
    conn.networkDefineXML("<network><name>more</name><bridge name='b9'/></network>")
    try:
        told.wait_for(
            StorageSeen, lambda each: "more" in [pool.name for pool in each.pools]
        )
        told.wait_for(
            NetworksSeen, lambda each: "more" in [net.name for net in each.networks]
        )
    finally:
        conn.storagePoolLookupByName("more").undefine()
        conn.networkLookupByName("more").undefine()


def test_ticks_come_and_full_looks_again(told: Listener) -> None:
    assert told.wait_for(Tick).guests is not None
    until(lambda: len(told.all(FullLook)) >= 2, 8)
    assert len(told.all(Tick)) >= 5


def test_odd_guests_harm_only_themselves(
    conn: libvirt.virConnect, told: Listener
) -> None:
    for document in odd_domains.accepted.values():
        conn.defineXML(document)
    conn.defineXML(GUEST.format(name="last", uuid=ID))
    every = len(odd_domains.accepted) + 1
    until(lambda: len({each.domain.uuid for each in told.all(DomainSeen)}) == every, 20)
    assert told.wait_for_event("defined", "last")
    assert not [each for each in told.all(DomainSeen) if each.domain.problem]


def test_a_host_that_cannot_be_opened_is_lost_in_words(tmp_path: Path) -> None:
    listener = Listener()
    eye.watch(listener, Address(Transport.UNIX, socket_path=str(tmp_path / "none")))
    (lost,) = listener.all()
    assert isinstance(lost, Lost)
    assert lost.code == "host_unreachable"
    assert lost.message.endswith(".")
    assert lost.hint


def test_a_thousand_guests_are_looked_at_in_seconds(tmp_path: Path) -> None:
    nodes = "".join(
        GUEST.format(name=f"g{number}", uuid=UUID(int=number + 1))
        for number in range(1000)
    )
    path = tmp_path / "host.xml"
    path.write_text(f"<node>{nodes}</node>")
    begun = time.monotonic()
    child = connection.spawn(
        eye.watch, Address(Transport.TEST, socket_path=str(path)), tick_s=0.5
    )
    try:
        assert child.channel.poll(20)
        first = child.channel.recv()
        assert len(first.domains) == 1000
        assert time.monotonic() - begun < 10
        while not isinstance(child.channel.recv(), Tick):
            assert child.channel.poll(30), "It tells nothing more."
    finally:
        child.kill()
