"""Verbs that change hardware, on libvirt's test driver; the lab tries the live ones."""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from kvmweb.errors import Conflict, Invalid, NotFound, Unsupported
from kvmweb.virt import changes, connection
from kvmweb.virt.connection import Host
from kvmweb.virt.types import Address, Transport
from kvmweb.virt.xml.domain import Domain

HOST_XML = Path(__file__).parents[1] / "data/virt/host.xml"
WEB = UUID("11111111-1111-4111-8111-111111111111")
OFF = UUID("22222222-2222-4222-8222-222222222222")


@pytest.fixture
def host() -> Iterator[Host]:
    """A host of its own for each test."""
    address = Address(Transport.TEST, socket_path=str(HOST_XML))
    with connection.connect(address, fresh=True) as connected:
        yield connected


def test_both_documents_are_read(host: Host) -> None:
    running = host.run(changes.documents, WEB)
    assert (running.name, bool(running.live), bool(running.config)) == (
        "web",
        True,
        True,
    )
    off = host.run(changes.documents, OFF)
    assert (off.live, bool(off.config)) == ("", True)
    assert "config" not in repr(off)
    with pytest.raises(NotFound):
        host.run(changes.documents, uuid4())


def test_a_definition_is_written_over_the_one_it_was_made_from(host: Host) -> None:
    before = host.run(changes.documents, OFF).config
    doc = Domain.parse(before)
    doc.vcpus = 3
    returned = host.run(changes.define, str(doc), uuid=OFF, before=before)
    assert Domain.parse(returned).vcpus == 3
    with pytest.raises(changes.Changed):
        host.run(changes.define, before, uuid=OFF, before=before)
    assert Domain.parse(host.run(changes.documents, OFF).config).vcpus == 3


def test_what_would_end_a_host_never_reaches_it(host: Host) -> None:
    xml = host.run(changes.documents, OFF).config
    wrong = xml.replace(">1</vcpu>", ">-1</vcpu>")
    controller = "<controller type='scsi' index='99999999'/>"
    for ask in (
        lambda: host.run(changes.define, wrong, uuid=OFF),
        lambda: host.run(changes.set_vcpus, OFF, -1, live=False, config=True),
        lambda: host.run(changes.set_memory, OFF, 2**60, live=False, config=True),
        lambda: host.run(
            changes.attach_device, OFF, controller, live=False, config=True
        ),
        lambda: host.run(changes.attach_device, OFF, "<disk", live=False, config=True),
    ):
        with pytest.raises(Invalid):
            ask()


def test_a_document_of_another_guest_is_not_defined(host: Host) -> None:
    xml = host.run(changes.documents, OFF).config
    with pytest.raises(Invalid, match="UUID"):
        host.run(changes.define, xml.replace(str(OFF), str(uuid4())), uuid=OFF)
    with pytest.raises(Invalid, match="name"):
        host.run(changes.define, xml.replace("<name>off", "<name>no"), uuid=OFF)


def test_the_schema_is_asked_where_it_is_strict(host: Host) -> None:
    xml = host.run(changes.documents, OFF).config
    odd = xml.replace("<vcpu", "<unheard-of/><vcpu")
    with pytest.raises(Invalid):
        host.run(changes.define, odd, uuid=OFF)
    host.run(changes.define, odd, uuid=OFF, strict=False)


def test_counts_and_names_are_set(host: Host) -> None:
    host.run(changes.set_vcpus, OFF, 4, live=False, config=True, maximum=True)
    host.run(changes.set_vcpus, OFF, 2, live=False, config=True)
    host.run(changes.set_memory, OFF, 32 * 1024**2, live=False, config=True)
    doc = Domain.parse(host.run(changes.documents, OFF).config)
    assert (doc.vcpus, doc.vcpus_current) == (4, 2)
    assert doc.current_memory == 32 * 1024**2
    host.run(changes.rename, OFF, "other")
    host.run(changes.rename, OFF, "other")
    assert host.run(changes.documents, OFF).name == "other"
    with pytest.raises(Conflict):
        host.run(changes.rename, WEB, "another")


def test_what_the_host_cannot_do_is_said(host: Host) -> None:
    disk = (
        "<disk type='file'><source file='/a'/><target dev='vdz' bus='virtio'/></disk>"
    )
    with pytest.raises(Unsupported):
        host.run(changes.attach_device, WEB, disk, live=True, config=False)
    with pytest.raises(Unsupported):
        host.run(changes.update_device, WEB, disk, live=True, config=False)
    # It is not there, so there is nothing to pull out.
    host.run(changes.detach_device, WEB, disk, live=True, config=True)
