"""Every way to reach a real host, every way it can go wrong, and all in time."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from deploy import lab_keys
from deploy.lab import Lab
from deploy.lab_host import LabHost
from kvmweb.errors import HostTimeout, HostUnreachable, NotFound, Unsupported
from kvmweb.virt import checks, connection, domains, screens, ssh
from kvmweb.virt.types import Address, DomainState, Secrets, Transport
from tests.virt import probes
from tests.waiting import until

pytestmark = pytest.mark.lab
TRANSPORTS = [Transport.UNIX, Transport.TCP, Transport.TLS, Transport.SSH]
FAR_HOST = "127.0.0.1"
FAR_DAY = datetime(2100, 1, 1, tzinfo=UTC)


def address_of(lab: Lab, host: LabHost, transport: Transport) -> Address:
    """How this host of the lab is reached by this transport."""
    if transport == Transport.UNIX:
        return Address(transport, socket_path=str(host.socket_path))
    if transport == Transport.TCP:
        return Address(transport, host=host.address)
    if transport == Transport.TLS:
        assert lab.authority
        assert lab.client
        secrets = Secrets(
            tls_ca=lab.authority.pem,
            tls_certificate=lab.client.certificate,
            tls_key=lab.client.key,
        )
        return Address(transport, host=host.address, secrets=secrets)
    assert lab.ssh_key
    secrets = Secrets(
        ssh_private_key=lab.ssh_key.private, ssh_host_key=host.ssh_host_key
    )
    return Address(transport, host=host.address, username="root", secrets=secrets)


@pytest.fixture
def host(lab: Lab) -> Iterator[LabHost]:
    """The first one; answers again afterwards, whatever the test did."""
    yield lab.hosts[0]
    lab.hosts[0].resume_libvirtd()
    connection.close_all()


@pytest.fixture(params=TRANSPORTS)
def address(request: pytest.FixtureRequest, lab: Lab, host: LabHost) -> Address:
    """That host by each transport in turn."""
    return address_of(lab, host, request.param)


@pytest.fixture
def tls(lab: Lab, host: LabHost) -> Address:
    return address_of(lab, host, Transport.TLS)


@pytest.fixture
def by_ssh(lab: Lab, host: LabHost) -> Address:
    return address_of(lab, host, Transport.SSH)


@pytest.fixture
def guest(host: LabHost) -> Iterator[UUID]:
    """A paused guest with a screen."""
    uuid = host.define_demo("screened", 16, paused=True, network="")
    yield uuid
    if "screened" in host.virsh("list", "--name"):
        host.virsh("destroy", "screened")
    if "screened" in host.virsh("list", "--all", "--name"):
        host.virsh("undefine", "--managed-save", "screened")


def refusal(address: Address) -> str:
    """Why it cannot be connected."""
    with pytest.raises(HostUnreachable) as caught, connection.connect(address):
        pass
    assert type(caught.value) is HostUnreachable  # never "unknown": nothing was asked
    assert caught.value.hint
    return caught.value.detail


def test_it_answers(address: Address) -> None:
    with connection.connect(address) as host:
        assert isinstance(host.run(probes.names), list)


def test_a_check_passes_and_says_what_it_saw(address: Address, host: LabHost) -> None:
    steps = list(checks.check(address))
    assert [step for step in steps if not step.ok] == []
    assert str(host.uuid) in steps[-1].detail
    assert "qemu" in steps[-2].detail


def test_a_hung_libvirtd_holds_up_no_call(address: Address, host: LabHost) -> None:
    with connection.connect(address) as connected:
        pid = connected.run(probes.pid)
        host.pause_libvirtd()
        begun = time.monotonic()
        with pytest.raises(HostTimeout, match="not known yet"):
            connected.within(1).run(probes.names)
        assert time.monotonic() - begun < 5
    until(lambda: not Path(f"/proc/{pid}").exists(), 5)


def test_a_hung_libvirtd_holds_up_no_opening(address: Address, host: LabHost) -> None:
    host.pause_libvirtd()
    begun = time.monotonic()
    assert "did not answer within 5 s" in refusal(address)
    assert time.monotonic() - begun < 8
    host.resume_libvirtd()
    with connection.connect(address) as connected:
        connected.run(probes.names)


def test_a_restarted_libvirtd_is_connected_anew(
    address: Address, host: LabHost
) -> None:
    with connection.connect(address) as connected:
        first = connected.run(probes.pid)
    host.kill_libvirtd()
    host.start_libvirtd()

    def answers() -> bool:
        try:
            with connection.connect(address) as connected:
                return connected.run(probes.pid) != first
        except HostTimeout:  # by ssh the news may take a moment
            return False

    until(answers, 5)


def test_an_address_that_drops_everything_is_given_up(lab: Lab) -> None:
    nobody = lab.gateway.rsplit(".", 1)[0] + ".250"
    begun = time.monotonic()
    assert "Could not connect" in refusal(Address(Transport.TCP, host=nobody))
    assert time.monotonic() - begun < 7


def test_the_wrong_port_is_told(tls: Address) -> None:
    assert "what answers there is not libvirt" in refusal(replace(tls, port=16509))


def test_the_hosts_certificate_is_of_another_authority(tls: Address) -> None:
    other = lab_keys.Authority("other")
    secrets = Secrets(tls_ca=other.pem)
    sentence = refusal(replace(tls, secrets=secrets))
    assert "the host's certificate was not signed by the authority" in sentence


def test_the_host_wants_a_client_certificate(tls: Address) -> None:
    without = replace(tls.secrets, tls_certificate="", tls_key="")
    sentence = refusal(replace(tls, secrets=without))
    assert "did not accept us by our certificate" in sentence


def test_a_client_certificate_of_another_authority(tls: Address) -> None:
    pair = lab_keys.Authority("other").client("kvmweb")
    foreign = replace(tls.secrets, tls_certificate=pair.certificate, tls_key=pair.key)
    sentence = refusal(replace(tls, secrets=foreign))
    assert "the client certificate given here was not signed" in sentence


def test_a_key_of_another_certificate(lab: Lab, tls: Address) -> None:
    assert lab.authority
    mixed = replace(tls.secrets, tls_key=lab.authority.client("kvmweb").key)
    sentence = refusal(replace(tls, secrets=mixed))
    assert "do not belong together" in sentence


def test_the_host_key_is_shown_before_it_is_trusted(
    by_ssh: Address, host: LabHost
) -> None:
    shown = ssh.scan_host_key(host.address)
    assert shown.line == host.ssh_host_key
    assert shown.fingerprint == ssh.fingerprint_of(host.ssh_host_key)
    untrusting = replace(by_ssh.secrets, ssh_host_key="")
    steps = {s.name: s for s in checks.check(replace(by_ssh, secrets=untrusting))}
    assert steps["handshake"].ok is False
    assert shown.fingerprint in steps["handshake"].detail


def test_a_changed_host_key_is_refused(by_ssh: Address) -> None:
    other = replace(by_ssh.secrets, ssh_host_key=lab_keys.ssh_key().public)
    sentence = refusal(replace(by_ssh, secrets=other))
    assert "another key than the one that is trusted" in sentence


def test_a_key_that_the_host_does_not_know(by_ssh: Address) -> None:
    other = replace(by_ssh.secrets, ssh_private_key=lab_keys.ssh_key().private)
    sentence = refusal(replace(by_ssh, secrets=other))
    assert "does not accept this user's key" in sentence


def test_a_key_that_is_broken(by_ssh: Address) -> None:
    broken = by_ssh.secrets.ssh_private_key.replace("b3BlbnNzaC1", "AAAAAAAAAAA")
    secrets = replace(by_ssh.secrets, ssh_private_key=broken)
    assert "the private key cannot be read" in refusal(replace(by_ssh, secrets=secrets))


def test_a_key_pasted_into_a_form_still_fits(by_ssh: Address) -> None:
    pasted = by_ssh.secrets.ssh_private_key.strip().replace("\n", "\r\n")
    secrets = replace(by_ssh.secrets, ssh_private_key=pasted)
    with connection.connect(replace(by_ssh, secrets=secrets)) as connected:
        connected.run(probes.names)


def test_a_far_socket_that_is_not_there(by_ssh: Address) -> None:
    sentence = refusal(replace(by_ssh, socket_path="/run/nothing"))
    assert "what was asked for on the host does not answer" in sentence


def test_ssh_ends_with_the_child_that_started_it(by_ssh: Address) -> None:
    with connection.connect(by_ssh) as connected:
        pid = connected.run(probes.pid)
        (tunnel,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        command = Path(f"/proc/{tunnel}/cmdline").read_text()
        assert "/usr/bin/ssh" in command
        assert "PRIVATE KEY" not in command
        with pytest.raises(HostTimeout):
            connected.within(0.1).run(probes.hang)
    until(lambda: not Path(f"/proc/{tunnel}").exists(), 5)


def test_no_secret_stays_in_a_file(by_ssh: Address, tls: Address) -> None:
    with ExitStack() as stack:
        for address in (by_ssh, tls):
            pid = stack.enter_context(connection.connect(address)).run(probes.pid)
            home = Path(f"/proc/{pid}/environ").read_text().split("HOME=")[1]
            files = [p for p in Path(home.split("\0")[0]).rglob("*") if p.is_file()]
            assert not any("PRIVATE KEY" in path.read_text() for path in files)
    connection.close_all()
    assert not Path(home.split("\0")[0]).exists()


def greeting(connect: Callable[[], socket.socket]) -> bytes:
    """The first words of a screen."""
    with connect() as screen:
        screen.settimeout(5)
        return screen.recv(12)


def test_a_screen_is_reached_through_ssh(
    by_ssh: Address, host: LabHost, guest: UUID
) -> None:
    port = 5900 + int(host.virsh("vncdisplay", str(guest)).rsplit(":", 1)[1])

    def connected() -> socket.socket:
        near = socket.socket(socket.AF_UNIX)
        near.connect(str(tunnel.socket))
        return near

    with ssh.forward(by_ssh, FAR_HOST, port) as tunnel:
        assert tunnel.socket.stat().st_mode & 0o077 == 0
        assert greeting(connected).startswith(b"RFB 003")


def test_a_screen_of_this_machine_is_a_socket(
    lab: Lab, host: LabHost, guest: UUID
) -> None:
    unix = address_of(lab, host, Transport.UNIX)
    assert greeting(lambda: screens.open_screen(unix, guest)).startswith(b"RFB 003")
    with pytest.raises(NotFound):
        screens.open_screen(unix, host.uuid)
    with pytest.raises(Unsupported):
        screens.open_screen(address_of(lab, host, Transport.TCP), guest)


def test_no_screen_comes_from_a_hung_libvirtd(
    lab: Lab, host: LabHost, guest: UUID
) -> None:
    unix = address_of(lab, host, Transport.UNIX)
    host.pause_libvirtd()
    try:
        with pytest.raises(HostTimeout):
            screens.open_screen(unix, guest, deadline_s=1)
    finally:
        host.resume_libvirtd()


def test_a_guest_is_saved_undefined_and_gone(
    lab: Lab, host: LabHost, guest: UUID
) -> None:
    with connection.connect(address_of(lab, host, Transport.TCP)) as connected:
        connected.run(domains.save, guest)
        facts = connected.run(domains.look, guest)
        assert facts is not None
        assert (facts.state, facts.managed_save) == (DomainState.SHUTOFF, True)
        connected.run(domains.undefine, guest)
        assert connected.run(domains.look, guest) is None


def test_a_screen_without_any_password_takes_none(
    lab: Lab, host: LabHost, guest: UUID
) -> None:
    with (
        connection.connect(address_of(lab, host, Transport.TCP)) as connected,
        pytest.raises(Unsupported, match="started without any password"),
    ):
        connected.run(domains.set_vnc_password, guest, "secret", FAR_DAY)


def test_a_screen_with_a_password_takes_a_new_one(
    lab: Lab, host: LabHost, guest: UUID
) -> None:
    host.virsh("destroy", str(guest))
    with connection.connect(address_of(lab, host, Transport.TCP)) as connected:
        xml = connected.run(domains.get_xml, guest)
        locked = xml.replace("<graphics type='vnc'", "<graphics type='vnc' passwd='x'")
        connected.run(domains.define, locked)
        connected.run(domains.start, guest)
        connected.run(domains.set_vnc_password, guest, "secret", FAR_DAY)
        now = connected.within(5).run(domains.get_xml, guest, secure=True)
    assert "passwd='secret'" in now
    assert "passwdValidTo='2100-01-01T00:00:00'" in now
