"""A person's verbs on a guest, on libvirt's test driver."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from kvmweb.errors import Conflict, HostError, Invalid, NotFound, Unsupported
from kvmweb.virt import connection, domains
from kvmweb.virt.connection import Host
from kvmweb.virt.types import Address, DomainFacts, DomainState, Transport

HOST_XML = Path(__file__).parents[1] / "data/virt/host.xml"
WEB = UUID("11111111-1111-4111-8111-111111111111")
SOON = datetime(2100, 1, 1, tzinfo=UTC)
OFF = UUID("22222222-2222-4222-8222-222222222222")


@pytest.fixture
def host() -> Iterator[Host]:
    """A host of its own for each test."""
    address = Address(Transport.TEST, socket_path=str(HOST_XML))
    with connection.connect(address, fresh=True) as connected:
        yield connected


def seen(host: Host, uuid: UUID) -> DomainFacts:
    facts = host.run(domains.look, uuid)
    assert facts is not None
    return facts


def test_it_is_looked_at(host: Host) -> None:
    facts = seen(host, WEB)
    assert (facts.uuid, facts.name, facts.state) == (WEB, "web", DomainState.RUNNING)
    assert [disk.target for disk in facts.disks] == ["vda", "vdb"]


def test_who_is_not_there_is_nothing(host: Host) -> None:
    assert host.run(domains.look, uuid4()) is None


@pytest.mark.parametrize(
    "verb",
    [
        domains.start,
        domains.shutdown,
        domains.reboot,
        domains.reset,
        domains.force_off,
        domains.pause,
        domains.resume,
        domains.save,
        domains.undefine,
        domains.get_xml,
        domains.job,
        domains.abort_job,
    ],
)
def test_no_verb_finds_who_is_not_there(host: Host, verb: object) -> None:
    with pytest.raises(NotFound, match="does not know this guest"):
        host.run(verb, uuid4())  # type: ignore[arg-type]


def test_it_starts_and_is_forced_off(host: Host) -> None:
    host.run(domains.start, OFF)
    assert seen(host, OFF).state == DomainState.RUNNING
    host.run(domains.force_off, OFF)
    assert seen(host, OFF).state == DomainState.SHUTOFF


def test_it_does_not_start_twice(host: Host) -> None:
    with pytest.raises(
        Conflict, match=r"^Could not start web: it is already running\.$"
    ):
        host.run(domains.start, WEB)


@pytest.mark.parametrize("verb", [domains.force_off, domains.pause])
def test_what_is_off_cannot_be_stopped(host: Host, verb: object) -> None:
    with pytest.raises(Conflict, match="off: it is not running"):
        host.run(verb, OFF)  # type: ignore[arg-type]


def test_it_pauses_and_goes_on(host: Host) -> None:
    host.run(domains.pause, WEB)
    assert seen(host, WEB).state == DomainState.PAUSED
    host.run(domains.resume, WEB)
    assert seen(host, WEB).state == DomainState.RUNNING


def test_shutting_down_says_by_which_means(host: Host) -> None:
    assert host.run(domains.shutdown, WEB) in set(domains.Means)
    assert seen(host, WEB).state == DomainState.SHUTOFF


def test_it_reboots_and_resets(host: Host) -> None:
    assert host.run(domains.reboot, WEB) in set(domains.Means)
    assert seen(host, WEB).state == DomainState.RUNNING
    host.run(domains.reset, WEB)
    assert seen(host, WEB).state == DomainState.RUNNING


def test_it_is_saved_and_goes_on(host: Host) -> None:
    host.run(domains.save, WEB)
    facts = seen(host, WEB)
    assert (facts.state, facts.managed_save) == (DomainState.SHUTOFF, True)
    host.run(domains.start, WEB)
    assert not seen(host, WEB).managed_save


def test_autostart_is_set_and_cleared(host: Host) -> None:
    for wanted in (True, False):
        host.run(domains.set_autostart, WEB, enabled=wanted)
        assert seen(host, WEB).autostart is wanted


def test_a_running_one_that_is_undefined_becomes_transient(host: Host) -> None:
    host.run(domains.undefine, WEB)
    assert not seen(host, WEB).persistent
    host.run(domains.force_off, WEB)
    assert host.run(domains.look, WEB) is None


def test_undefining_takes_saved_state_and_snapshots_along(host: Host) -> None:
    assert seen(host, OFF).snapshots == 1
    host.run(domains.start, OFF)
    host.run(domains.save, OFF)
    host.run(domains.undefine, OFF)
    assert host.run(domains.look, OFF) is None


def test_a_document_is_defined(host: Host) -> None:
    uuid = host.run(domains.define, DOCUMENT)
    facts = seen(host, uuid)
    assert (facts.name, facts.state) == ("new", DomainState.SHUTOFF)


def test_a_transient_one_is_started(host: Host) -> None:
    facts = seen(host, host.run(domains.create, DOCUMENT))
    assert (facts.state, facts.persistent) == (DomainState.RUNNING, False)


def test_a_name_that_is_taken_is_refused(host: Host) -> None:
    with pytest.raises((Conflict, HostError), match="Could not define web"):
        host.run(domains.define, DOCUMENT.replace("new", "web"))


@pytest.mark.parametrize(
    "xml",
    [
        "<domain",
        "<network><name>x</name></network>",
        "<!DOCTYPE d [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><domain>&x;</domain>",
        "<domain type='test'><name>x</name><memory>1</memory><vcpu>-1</vcpu></domain>",
        "<domain type='test'><name>x</name></domain>",
    ],
)
def test_a_bad_document_reaches_no_host(host: Host, xml: str) -> None:
    for verb in (domains.define, domains.create):
        with pytest.raises(Invalid):
            host.run(verb, xml)


def test_a_driver_without_jobs_says_so(host: Host) -> None:
    with pytest.raises(Unsupported):
        host.run(domains.job, WEB)


def test_only_a_vnc_screen_takes_a_password(host: Host) -> None:
    with pytest.raises(Unsupported, match="off has no VNC screen"):
        host.run(domains.set_vnc_password, OFF, "secret", SOON)


DOCUMENT = """
<domain type='test'>
  <name>new</name>
  <memory unit='MiB'>16</memory>
  <os><type>hvm</type></os>
</domain>
"""
