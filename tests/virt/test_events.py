"""What a host announces wakes us, in words, and costs libvirt's event loop nothing."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from uuid import UUID

import libvirt
import pytest

from kvmweb.virt import domains
from kvmweb.virt.events import Kind, Wake, listening
from kvmweb.virt.opening import open_libvirt
from kvmweb.virt.types import Address, Transport
from tests.waiting import until

HOST_XML = Path(__file__).parents[1] / "data/virt/host.xml"
GUEST = (
    "<domain type='test'><name>{name}</name><uuid>{uuid}</uuid><memory>1024</memory>"
    "<os><type>hvm</type></os></domain>"
)
ID = UUID("5d1e4a1c-0c7c-4b0e-8d39-6f2b9ad7e001")


@pytest.fixture
def conn() -> Iterator[libvirt.virConnect]:
    """A host of the test driver, with its events running."""
    address = Address(Transport.TEST, socket_path=str(HOST_XML))
    with open_libvirt(address) as connection:
        yield connection


@pytest.fixture
def heard(conn: libvirt.virConnect) -> Iterator["SimpleQueue[Wake]"]:
    """All that was announced."""
    queue: SimpleQueue[Wake] = SimpleQueue()
    with listening(conn, queue.put):
        yield queue


def words(heard: "SimpleQueue[Wake]", last: str) -> list[str]:
    """What was said of the guest, until this was."""
    said: list[str] = []

    def is_said() -> bool:
        while not heard.empty():
            wake = heard.get()
            assert (wake.kind, wake.uuid) == (Kind.DOMAIN, ID)
            said.append(wake.word)
        return last in said

    until(is_said, 5, pause=0.01, why=f"{last!r} was not heard, but {said}.")
    return said


def test_the_life_of_a_guest_is_heard(
    conn: libvirt.virConnect, heard: "SimpleQueue[Wake]"
) -> None:
    dom = conn.defineXML(GUEST.format(name="one", uuid=ID))
    assert words(heard, "defined") == ["defined"]
    conn.defineXML(GUEST.format(name="one", uuid=ID).replace("1024", "2048"))
    assert words(heard, "edited") == ["edited"]
    dom.create()
    assert "started" in words(heard, "started")
    dom.suspend()
    assert words(heard, "paused") == ["paused"]
    dom.resume()
    assert words(heard, "resumed") == ["resumed"]
    dom.destroy()
    assert "destroyed" in words(heard, "destroyed")
    dom.rename("two", 0)
    assert set(words(heard, "renamed")) == {"renamed"}
    dom.undefine()
    assert words(heard, "undefined")[-1] == "undefined"


def test_pools_and_networks_are_heard(
    conn: libvirt.virConnect, heard: "SimpleQueue[Wake]"
) -> None:
    pool = conn.listAllStoragePools(libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE)[0]
    pool.refresh(0)
    wakes: list[Wake] = []
    until(lambda: not heard.empty(), 5, pause=0.01)
    wakes.append(heard.get())
    network = conn.listAllNetworks(libvirt.VIR_CONNECT_LIST_NETWORKS_ACTIVE)[0]
    network.destroy()
    until(lambda: not heard.empty(), 5, pause=0.01)
    wakes.append(heard.get())
    assert [(each.kind, each.uuid) for each in wakes] == [
        (Kind.POOL, UUID(bytes=pool.UUID())),
        (Kind.NETWORK, UUID(bytes=network.UUID())),
    ]


def test_nothing_is_heard_after_the_end(conn: libvirt.virConnect) -> None:
    queue: SimpleQueue[Wake] = SimpleQueue()
    with listening(conn, queue.put):
        pass
    heard: SimpleQueue[Wake] = SimpleQueue()
    with listening(conn, heard.put):
        dom = conn.defineXML(GUEST.format(name="one", uuid=ID))
        words(heard, "defined")
        with suppress(libvirt.libvirtError):
            dom.undefine()
    assert queue.empty()


def test_every_kind_of_event_is_asked_for(conn: libvirt.virConnect) -> None:
    asked: list[int] = []

    class Host:
        def domainEventRegisterAny(self, *given: object) -> int:
            asked.append(int(str(given[1])))
            raise libvirt.libvirtError("this host announces nothing")

        storagePoolEventRegisterAny = domainEventRegisterAny
        networkEventRegisterAny = domainEventRegisterAny
        domainEventDeregisterAny = storagePoolEventDeregisterAny = None
        networkEventDeregisterAny = None

    with listening(Host(), lambda _wake: None):
        pass
    known = {
        number
        for name, number in vars(libvirt).items()
        if name.startswith("VIR_DOMAIN_EVENT_ID_")
    }
    assert set(asked[:-3]) == known


@pytest.mark.parametrize("title", ["", "Front"])
def test_a_new_autostart_is_heard_and_changes_nothing_else(
    conn: libvirt.virConnect, heard: "SimpleQueue[Wake]", title: str
) -> None:
    dom = conn.defineXML(GUEST.format(name="one", uuid=ID))
    if title:
        dom.setMetadata(libvirt.VIR_DOMAIN_METADATA_TITLE, title, None, None, 0)
    before = dom.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    words(heard, "metadata" if title else "defined")
    domains.set_autostart(conn, ID, enabled=True)
    assert words(heard, "metadata") == ["metadata"]
    assert dom.autostart()
    assert dom.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE) == before
