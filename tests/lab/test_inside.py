"""What a guest's agent tells: real libvirt and QEMU, the agent's own words are a mock's."""

import time
from collections.abc import Iterator
from uuid import UUID

import pytest

from deploy.lab_host import LabHost
from kvmweb.errors import Conflict, HostError
from kvmweb.virt import agent, connection
from kvmweb.virt.types import Address, Transport
from tests.lab.mock_agent import TRUE, MockAgent
from tests.waiting import until

pytestmark = pytest.mark.lab
PASSWORD = "Top-Secret-7"


@pytest.fixture
def host(kvm: LabHost, mock: MockAgent) -> Iterator[connection.Host]:
    """A connection to the host, with an agent that tells the truth."""
    mock.answers = dict(TRUE)
    mock.faults = {}
    mock.asked.clear()
    address = Address(Transport.UNIX, socket_path=str(kvm.socket_path))
    with connection.connect(address) as connected:
        yield connected


def test_the_truth_is_told_whole(host: connection.Host, mocked: UUID) -> None:
    told = host.run(agent.look, mocked)
    assert told.hostname == "web"
    assert told.system is not None
    assert (told.system.name, told.system.kernel) == ("Debian 12", "6.1")
    assert (told.timezone, told.timezone_offset_s) == ("CET", 3600)
    assert [each.name for each in told.users] == ["root"]
    (root,) = told.file_systems
    assert (root.mountpoint, root.used_bytes, root.total_bytes) == ("/", 250, 1000)
    assert told.ahead_s is not None
    assert 59 < told.ahead_s < 61
    assert told.untold == ()


def test_lies_are_cut_to_size(
    host: connection.Host, mocked: UUID, mock: MockAgent
) -> None:
    mock.answers |= {
        "guest-get-host-name": {"host-name": "\u001b[31m" + "x" * 100_000},
        "guest-get-osinfo": {"pretty-name": "a\u0000b\nc", "id": ["no", "text"]},
        "guest-get-users": [
            {"user": f"u{number}", "login-time": 1e300} for number in range(120)
        ],
        "guest-get-fsinfo": [
            {"name": "v", "mountpoint": "/x", "type": "e", "disk": []}
            | {"used-bytes": -5, "total-bytes": 2**63 - 1}
            for _ in range(200)
        ],
        "guest-get-timezone": {"offset": "east"},
        "guest-get-time": -(2**62),
    }
    told = host.run(agent.look, mocked)
    assert len(told.hostname) <= 255
    assert "\x1b" not in told.hostname
    assert told.system is None or "\n" not in told.system.name
    assert len(told.users) <= 50
    assert len(told.file_systems) <= 100
    assert all((each.used_bytes or 0) >= 0 for each in told.file_systems)
    assert told.timezone_offset_s is None


def test_an_old_agent_tells_what_it_can(
    host: connection.Host, mocked: UUID, mock: MockAgent
) -> None:
    mock.answers = {"guest-get-host-name": {"host-name": "old"}}
    told = host.run(agent.look, mocked)
    assert told.hostname == "old"
    assert {"users", "file systems", "operating system", "clock"} <= set(told.untold)
    assert told.file_systems == ()


def test_an_agent_that_hangs_holds_nobody_up_for_long(
    host: connection.Host, mocked: UUID, mock: MockAgent
) -> None:
    mock.answers["guest-get-time"] = lambda _asked: ...
    begun = time.monotonic()
    with pytest.raises(HostError, match="agent does not answer"):
        host.run(agent.look, mocked)
    assert time.monotonic() - begun < 25
    mock.answers = dict(TRUE)
    until(lambda: _answers(host, mocked), 30, why="It stays deaf after a hang.")


def _answers(host: connection.Host, mocked: UUID) -> bool:
    try:
        return host.run(agent.look, mocked).hostname == "web"
    except HostError:
        return False


def test_freezing_and_thawing_reach_the_agent(
    host: connection.Host, mocked: UUID, mock: MockAgent
) -> None:
    assert host.run(agent.freeze, mocked) == 2
    assert host.run(agent.thaw, mocked) == 2
    asked = [each["execute"] for each in mock.asked]
    assert asked == ["guest-fsfreeze-freeze", "guest-fsfreeze-thaw"]


def test_what_it_says_to_a_password_is_shown_to_nobody(
    host: connection.Host, mocked: UUID, mock: MockAgent
) -> None:
    mock.faults = {"guest-set-user-password": f"no, {PASSWORD} is too short"}
    with pytest.raises(HostError) as refused:
        host.run(agent.set_password, mocked, "root", PASSWORD)
    assert PASSWORD not in str(refused.value)
    assert "did not take the password" in str(refused.value)


def test_a_guest_without_an_agent_says_so(host: connection.Host, kvm: LabHost) -> None:
    bare = kvm.define_demo("bare", 16, running=False, paused=True, network="")
    try:
        with pytest.raises(Conflict, match="no channel"):
            host.run(agent.look, bare)
        assert isinstance(host.run(agent.add_channel, bare), bool)
        assert agent.NAME in kvm.virsh("dumpxml", str(bare), "--inactive")
        kvm.virsh("destroy", str(bare))
        with pytest.raises(Conflict, match="does not run"):
            host.run(agent.look, bare)
        assert host.run(agent.add_channel, bare)
        text = kvm.virsh("dumpxml", str(bare), "--inactive")
        assert text.count(agent.NAME) == 1
    finally:
        kvm.virsh("undefine", str(bare))
