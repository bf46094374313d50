"""Snapshots by libvirt's own test driver, and what their documents say."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from kvmweb.errors import Conflict, NotFound
from kvmweb.virt import connection, domains, merging, snapshots, surveying
from kvmweb.virt.connection import Host
from kvmweb.virt.snapshot_facts import facts_of
from kvmweb.virt.snapshot_types import Wanted
from kvmweb.virt.types import Address, DomainState, Transport
from kvmweb.virt.xml.snapshot import ChainedDomain, Snapshot

HOST_XML = Path(__file__).parents[1] / "data/virt/host.xml"
WEB = UUID("11111111-1111-4111-8111-111111111111")
EXTERNAL = """<domainsnapshot>
  <name>b</name><description>x &lt; y</description><state>running</state>
  <parent><name>a</name></parent>
  <creationTime>1700000000</creationTime>
  <memory snapshot='external' file='/p/b.memory'/>
  <disks>
    <disk name='vda' snapshot='external' type='file'>
      <driver type='qcow2'/><source file='/p/over.qcow2'/></disk>
    <disk name='sda' snapshot='no'/>
  </disks>
  <domain type='qemu'><name>now</name><devices>
    <disk type='file' device='disk'><driver type='raw'/><source file='/p/base.img'/>
      <target dev='vda'/></disk></devices></domain>
  <inactiveDomain type='qemu'><name>next</name></inactiveDomain>
</domainsnapshot>
"""
CHAIN = """<domain type='qemu'><devices><disk type='file' device='disk'>
  <source file='/p/3'/>
  <backingStore type='file'><format type='qcow2'/><source file='/p/2'/>
    <backingStore type='block'><format type='raw'/><source dev='/dev/1'/>
      <backingStore/></backingStore></backingStore>
  <target dev='vda'/></disk></devices></domain>"""


@pytest.fixture
def host() -> Iterator[Host]:
    """A host of its own for each test."""
    address = Address(Transport.TEST, socket_path=str(HOST_XML))
    with connection.connect(address, fresh=True) as connected:
        yield connected


def wanted(name: str) -> Wanted:
    """One inside the disks."""
    return Wanted(name, f"before {name}", external=False, memory=False)


def test_snapshots_make_a_tree_with_a_place_in_it(host: Host) -> None:
    for name in ("a", "b"):
        host.run(snapshots.create, WEB, wanted(name))
    told = {it.name: it for it in host.run(snapshots.look, WEB)}
    assert (told["a"].parent, told["b"].parent) == ("", "a")
    assert (told["a"].current, told["b"].current) == (False, True)
    assert told["b"].description == "before b"
    facts = host.run(domains.look, WEB)
    assert facts is not None
    assert {it.name for it in facts.snapshot_list} == {"a", "b"}
    host.run(snapshots.revert, WEB, "a")
    assert {it.name for it in host.run(snapshots.look, WEB) if it.current} == {"a"}


def test_going_back_brings_the_state_of_then(host: Host) -> None:
    host.run(snapshots.create, WEB, wanted("running"))
    host.run(domains.force_off, WEB)
    host.run(snapshots.revert, WEB, "running")
    assert host.run(domains.state, WEB) == DomainState.RUNNING


def test_a_name_is_given_once_and_an_unknown_one_is_not_found(host: Host) -> None:
    host.run(snapshots.create, WEB, wanted("a"))
    with pytest.raises(Conflict, match="has a snapshot a already"):
        host.run(snapshots.create, WEB, wanted("a"))
    for verb in (snapshots.revert, merging.delete):
        with pytest.raises(NotFound):
            host.run(verb, WEB, "z")
    host.run(merging.delete, WEB, "a")
    assert host.run(snapshots.look, WEB) == ()


def test_a_survey_says_what_a_choice_needs(host: Host) -> None:
    survey = host.run(surveying.survey, WEB)
    assert (survey.virt_type, survey.state) == ("test", "running")
    assert survey.libvirt_version >= 9_000_000
    assert "/pool" in {folder.path for folder in survey.folders}


def test_what_stands_on_a_volume_is_named(host: Host) -> None:
    assert host.run(surveying.standing_on, "/pool/base.qcow2") == ["/pool/web.qcow2"]


def test_a_document_with_files_of_its_own_is_read() -> None:
    facts = facts_of(Snapshot.parse(EXTERNAL), current=True)
    assert (facts.name, facts.parent, facts.kind) == ("b", "a", "external")
    assert (facts.memory, facts.memory_path) == (True, "/p/b.memory")
    assert facts.created_at == datetime.fromtimestamp(1700000000, UTC)
    assert facts.overlays == ("/p/over.qcow2",)
    assert [(it.target, it.base, it.base_format) for it in facts.disks] == [
        ("vda", "/p/base.img", "raw"),
        ("sda", "", ""),
    ]


def test_what_was_defined_is_another_document_than_what_ran() -> None:
    snapshot = Snapshot.parse(EXTERNAL)
    defined, ran = snapshot.defined(), snapshot.ran()
    assert defined is not None
    assert ran is not None
    assert (defined.element.tag, defined.name, ran.name) == ("domain", "next", "now")
    assert str(snapshot) == str(Snapshot.parse(EXTERNAL))


def test_layers_are_read_from_the_top_down() -> None:
    (disk,) = ChainedDomain.parse(CHAIN).chained
    assert disk.chain() == ["/p/3", "/p/2", "/dev/1"]
    disk.below = None
    assert disk.chain() == ["/p/3"]


@pytest.mark.parametrize(
    "odd",
    [
        "<domainsnapshot/>",
        "<domainsnapshot><name>é/&#9;</name></domainsnapshot>",
        "<domainsnapshot><creationTime>99999999999999999999</creationTime></domainsnapshot>",
        "<domainsnapshot><disks><disk/></disks><memory snapshot='?'/></domainsnapshot>",
    ],
)
def test_odd_documents_are_read(odd: str) -> None:
    facts = facts_of(Snapshot.parse(odd), current=False)
    assert facts.created_at is None
    assert not facts.memory
