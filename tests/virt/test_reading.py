"""Whatever libvirt accepts can be read; what it does not say is empty, never an error."""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import libvirt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvmweb.errors import NotFound
from kvmweb.virt import reading
from kvmweb.virt.facts import Status, facts_of_xml, merged, state_of, with_addresses
from kvmweb.virt.types import AddressFacts, DomainFacts, DomainState
from tests.virt import odd_domains

HOST_XML = Path(__file__).parents[1] / "data/virt/host.xml"
INT64_MAX = 2**63 - 1


@pytest.fixture
def conn() -> Iterator[libvirt.virConnect]:
    """A host of the test driver."""
    connection = libvirt.open(f"test://{HOST_XML}")
    yield connection
    connection.close()


def read(document: str) -> DomainFacts:
    """The facts of a document alone."""
    return facts_of_xml(document, document, Status(uuid4(), "its-name"))


def is_storable(facts: DomainFacts) -> bool:
    """Whether a database can hold the numbers and a guest's disks are told apart."""
    numbers = (
        facts.vcpus,
        facts.vcpus_max,
        facts.memory_bytes,
        facts.memory_max_bytes,
        facts.snapshots,
        *(each.port or 0 for each in facts.graphics),
    )
    targets = [each.target for each in facts.disks]
    return all(0 <= each <= INT64_MAX for each in numbers) and len(targets) == len(
        set(targets)
    )


@pytest.mark.parametrize("name", odd_domains.accepted)
def test_odd_domains_are_defined_and_read(conn: libvirt.virConnect, name: str) -> None:
    dom = conn.defineXML(odd_domains.accepted[name])
    facts = reading.domain_facts(dom)
    assert facts.problem == ""
    assert facts.name == dom.name()
    assert facts.xml
    assert is_storable(facts)
    assert facts in reading.full_look(conn).domains


@pytest.mark.parametrize("name", odd_domains.foreign)
def test_foreign_domains_are_read(name: str) -> None:
    facts = read(odd_domains.foreign[name])
    assert facts.problem == ""
    assert is_storable(facts)


@pytest.mark.parametrize("name", odd_domains.broken)
def test_broken_documents_become_facts_with_a_problem(name: str) -> None:
    facts = read(odd_domains.broken[name])
    assert facts.problem.endswith(".")
    assert "root:" not in f"{facts.name}{facts.title}"
    assert is_storable(facts)


_tags = st.sampled_from(
    [
        "name", "memory", "currentMemory", "vcpu", "os", "type", "devices", "disk",
        "source", "target", "interface", "mac", "graphics", "listen", "console",
        "serial", "channel", "metadata", "loader", "readonly", "model", "odd",
    ]
)  # fmt: skip
_words = st.one_of(
    st.sampled_from(["", "yes", "pty", "file", "-1", "0x7f", "1e9", "KiB", "efi", "é"]),
    st.integers().map(str),
    st.text(st.characters(codec="utf-8", exclude_characters="<&'\"\x00"), max_size=9),
)
_attributes = st.dictionaries(
    st.sampled_from(["type", "dev", "unit", "current", "file", "port", "address"]),
    _words,
    max_size=3,
)


def _element(tag: str, attributes: dict[str, str], inside: list[str]) -> str:
    said = "".join(f" {name}='{value}'" for name, value in attributes.items())
    return f"<{tag}{said}>{''.join(inside)}</{tag}>"


_elements = st.recursive(
    _words,
    lambda deeper: st.builds(
        _element, _tags, _attributes, st.lists(deeper, max_size=4)
    ),
    max_leaves=25,
)


@given(st.lists(_elements, max_size=6))
def test_any_document_can_be_read(parts: list[str]) -> None:
    assert is_storable(read(f"<domain>{''.join(parts)}</domain>"))


@given(st.text())
def test_any_text_can_be_read(text: str) -> None:
    assert is_storable(read(text))


def test_a_guest_is_read_whole() -> None:
    facts = read(
        "<domain type='kvm'><name>web</name><memory unit='MiB'>2048</memory>"
        "<currentMemory unit='MiB'>1024</currentMemory><vcpu current='2'>4</vcpu>"
        "<os firmware='efi'><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os>"
        "<devices><disk type='volume' device='disk'><driver type='qcow2'/>"
        "<source pool='fast' volume='web.qcow2'/><target dev='vda' bus='virtio'/></disk>"
        "<disk device='cdrom'><target dev='sda' bus='sata'/></disk>"
        "<interface type='bridge'><mac address='52:54:00:00:00:01'/>"
        "<source bridge='br0'/><target dev='vnet3'/><model type='virtio'/>"
        "<link state='down'/></interface><graphics type='vnc' port='5901' "
        "listen='127.0.0.1'/><serial type='pty'/><channel type='unix'>"
        "<target type='virtio' name='org.qemu.guest_agent.0' state='connected'/>"
        "</channel></devices></domain>"
    )
    assert (facts.vcpus, facts.vcpus_max) == (2, 4)
    assert (facts.memory_bytes, facts.memory_max_bytes) == (2**30, 2**31)
    assert (facts.firmware, facts.machine, facts.arch) == (
        "uefi",
        "pc-q35-7.2",
        "x86_64",
    )
    disk, cdrom = facts.disks
    assert (disk.pool, disk.volume, disk.format) == ("fast", "web.qcow2", "qcow2")
    assert (cdrom.path, cdrom.readonly) == ("", True)
    assert (facts.nics[0].network, facts.nics[0].link_up) == ("br0", False)
    assert facts.graphics[0].port == 5901
    assert facts.serial
    assert facts.agent is True


def test_a_qemu_that_died_is_crashed_not_off() -> None:
    off, died = libvirt.VIR_DOMAIN_SHUTOFF_DESTROYED, libvirt.VIR_DOMAIN_SHUTOFF_CRASHED
    shutoff = libvirt.VIR_DOMAIN_SHUTOFF
    assert state_of(shutoff, off) == (DomainState.SHUTOFF, "destroyed")
    assert state_of(shutoff, died) == (DomainState.CRASHED, "crashed")
    assert state_of(4711, 1) == (DomainState.UNKNOWN, "")


def test_a_domain_that_went_is_not_found(conn: libvirt.virConnect) -> None:
    dom = conn.defineXML(odd_domains.accepted["nic-none"])
    dom.undefine()
    with pytest.raises(NotFound):
        reading.domain_facts(dom)


def test_a_guest_is_called_by_its_new_name(conn: libvirt.virConnect) -> None:
    dom = conn.defineXML(odd_domains.accepted["nic-none"])
    uuid = UUID(bytes=dom.UUID())
    conn.defineXML(
        odd_domains.accepted["nic-none"].replace(
            "<name>nic-none</name>",
            f"<name>nic-none</name><uuid>{uuid}</uuid><title>new</title>",
        )
    )
    assert reading.domain_facts(dom).title == "new"


def test_what_is_beside_the_document_is_read(conn: libvirt.virConnect) -> None:
    dom = conn.defineXML(odd_domains.accepted["nic-user"])
    dom.setAutostart(1)
    dom.create()
    dom.snapshotCreateXML("<domainsnapshot><name>one</name></domainsnapshot>", 0)
    (seen,) = [
        each for each in reading.full_look(conn).domains if each.name == "nic-user"
    ]
    assert seen == reading.domain_facts(dom, addresses=False)
    assert (seen.state, seen.autostart, seen.snapshots) == (
        DomainState.RUNNING,
        True,
        1,
    )
    assert seen.inactive_xml
    assert seen.inactive_xml != seen.xml


def test_the_host_is_read_though_it_cannot_say_all() -> None:
    conn = libvirt.open("test:///default")
    facts = reading.host_facts(conn)
    conn.close()
    assert (facts.hypervisor, facts.arch, facts.cpus) == ("TEST", "i686", 16)
    assert (facts.sockets, facts.cores, facts.threads) == (4, 2, 2)
    assert [cell.id for cell in facts.numa] == [0, 1]
    assert facts.numa[1].cpus == tuple(range(8, 16))
    assert facts.virt_types == ("test",)
    assert facts.libvirt_version.count(".") == 2
    assert facts.secure


def test_addresses_of_several_sources_are_told_once() -> None:
    lease, arp = AddressFacts("192.0.2.1", "lease"), AddressFacts("192.0.2.1", "arp")
    other = AddressFacts("2001:db8::1", "agent")
    told = merged({"52:54:00:00:00:0a": (lease,)}, {"52:54:00:00:00:0a": (arp, other)})
    facts = read(
        "<domain><devices><interface><mac address='52:54:00:00:00:0A'/></interface>"
        "</devices></domain>"
    )
    assert with_addresses(facts, told).nics[0].addresses == (lease, other)


def test_an_agent_that_lies_is_not_believed() -> None:
    class Liar:
        def interfaceAddresses(self, *_: int) -> dict[str, object]:
            told = ["<script>", "127.0.0.1", "fe80::1", "0.0.0.0", "10.0.0.7", None]
            return {
                "lo": {"hwaddr": None, "addrs": [{"addr": "10.0.0.9"}]},
                "eth0": {"hwaddr": "AA:BB", "addrs": [{"addr": each} for each in told]},
                "eth1": {"hwaddr": "AA:BC", "addrs": None},
            }

    found = reading.addresses_of(Liar(), reading.AGENT)
    assert found == {"aa:bb": (AddressFacts("10.0.0.7", "agent"),)}
