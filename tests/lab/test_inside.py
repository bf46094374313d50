"""What a guest's agent tells: real libvirt and QEMU, the agent's own words are a mock's."""

import base64
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from deploy.lab import Lab
from deploy.lab_host import LabHost
from deploy.product import Product
from kvmweb.errors import Conflict, HostError
from kvmweb.virt import agent, connection
from kvmweb.virt.types import Address, Transport
from tests.lab.mock_agent import MockAgent, define
from tests.scene import ended, guest, states_of_hosts
from tests.waiting import until

pytestmark = pytest.mark.lab
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g me"
PASSWORD = "Top-Secret-7"
NS = 10**9


def now_ns(_asked: dict[str, Any]) -> int:
    """A clock that is a minute early."""
    return time.time_ns() + 60 * NS


TRUE = {
    "guest-get-host-name": {"host-name": "web"},
    "guest-get-osinfo": {
        "id": "debian",
        "pretty-name": "Debian 12",
        "version-id": "12",
        "kernel-release": "6.1",
        "machine": "x86_64",
    },
    "guest-get-timezone": {"zone": "CET", "offset": 3600},
    "guest-get-users": [{"user": "root", "login-time": 1700000000.5}],
    "guest-get-fsinfo": [
        {
            "name": "vda1",
            "mountpoint": "/",
            "type": "ext4",
            "used-bytes": 250,
            "total-bytes": 1000,
            "disk": [],
        }
    ],
    "guest-get-time": now_ns,
    "guest-set-time": {},
    "guest-set-user-password": {},
    "guest-ssh-add-authorized-keys": {},
    "guest-fsfreeze-freeze": 2,
    "guest-fsfreeze-thaw": 2,
}


@pytest.fixture(scope="module")
def kvm(lab: Lab) -> LabHost:
    """The first host."""
    return lab.hosts[0]


@pytest.fixture(scope="module")
def mock(kvm: LabHost) -> Iterator[MockAgent]:
    """The words of the guest's agent."""
    played = MockAgent(kvm.root / "agent.sock")
    yield played
    played.close()


@pytest.fixture(scope="module")
def uuid(kvm: LabHost, mock: MockAgent) -> Iterator[UUID]:
    """A guest with that agent, once libvirt listens to it."""
    uuid = UUID(define(kvm, "mocked", mock))
    until(lambda: "state='connected'" in kvm.virsh("dumpxml", str(uuid)), 30)
    yield uuid
    kvm.virsh("destroy", str(uuid))
    kvm.virsh("undefine", str(uuid))


@pytest.fixture
def host(kvm: LabHost, mock: MockAgent) -> Iterator[connection.Host]:
    """A connection to the host, with an agent that tells the truth."""
    mock.answers = dict(TRUE)
    mock.faults = {}
    mock.asked.clear()
    address = Address(Transport.UNIX, socket_path=str(kvm.socket_path))
    with connection.connect(address) as connected:
        yield connected


def test_the_truth_is_told_whole(host: connection.Host, uuid: UUID) -> None:
    told = host.run(agent.look, uuid)
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
    host: connection.Host, uuid: UUID, mock: MockAgent
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
    told = host.run(agent.look, uuid)
    assert len(told.hostname) <= 255
    assert "\x1b" not in told.hostname
    assert told.system is None or "\n" not in told.system.name
    assert len(told.users) <= 50
    assert len(told.file_systems) <= 100
    assert all((each.used_bytes or 0) >= 0 for each in told.file_systems)
    assert told.timezone_offset_s is None


def test_an_old_agent_tells_what_it_can(
    host: connection.Host, uuid: UUID, mock: MockAgent
) -> None:
    mock.answers = {"guest-get-host-name": {"host-name": "old"}}
    told = host.run(agent.look, uuid)
    assert told.hostname == "old"
    assert {"users", "file systems", "operating system", "clock"} <= set(told.untold)
    assert told.file_systems == ()


def test_an_agent_that_hangs_holds_nobody_up_for_long(
    host: connection.Host, uuid: UUID, mock: MockAgent
) -> None:
    mock.answers["guest-get-time"] = lambda _asked: ...
    begun = time.monotonic()
    with pytest.raises(HostError, match="agent does not answer"):
        host.run(agent.look, uuid)
    assert time.monotonic() - begun < 25
    mock.answers = dict(TRUE)
    until(lambda: _answers(host, uuid), 30, why="It stays deaf after a hang.")


def _answers(host: connection.Host, uuid: UUID) -> bool:
    try:
        return host.run(agent.look, uuid).hostname == "web"
    except HostError:
        return False


def test_freezing_and_thawing_reach_the_agent(
    host: connection.Host, uuid: UUID, mock: MockAgent
) -> None:
    assert host.run(agent.freeze, uuid) == 2
    assert host.run(agent.thaw, uuid) == 2
    asked = [each["execute"] for each in mock.asked]
    assert asked == ["guest-fsfreeze-freeze", "guest-fsfreeze-thaw"]


def test_what_it_says_to_a_password_is_shown_to_nobody(
    host: connection.Host, uuid: UUID, mock: MockAgent
) -> None:
    mock.faults = {"guest-set-user-password": f"no, {PASSWORD} is too short"}
    with pytest.raises(HostError) as refused:
        host.run(agent.set_password, uuid, "root", PASSWORD)
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


@pytest.fixture
def product(kvm: LabHost) -> Iterator[Product]:
    """The whole product with the first host."""
    with Product(Path("/tmp", f"kvmweb-inside-{os.getpid()}")) as started:
        body = {"name": kvm.name, "transport": "tcp", "address": kvm.address}
        said = started.call("POST", "hosts/", body | {"virt_type": "qemu"})
        assert said.status == 201, said.body
        until(lambda: set(states_of_hosts(started).values()) == {"up"})
        yield started


def test_people_look_inside_and_set_what_is_there(
    product: Product, uuid: UUID, mock: MockAgent
) -> None:
    mock.answers, mock.faults = dict(TRUE), {}
    mock.asked.clear()
    until(lambda: guest(product, uuid).get("agent"), 15)
    for path, body in (
        ("inside", None),
        ("set-password", {"user": "root", "password": PASSWORD}),
        ("ssh-keys", {"user": "ann", "ssh_keys": [KEY]}),
        ("sync-time", None),
    ):
        said = product.call("POST", f"guests/{uuid}/{path}/", body)
        assert said.status == 202, said.body
        operation = ended(product, said.body["id"])
        assert operation["state"] == "succeeded", operation
        assert PASSWORD not in str(operation)
    report = product.call("GET", f"guests/{uuid}/inside/").body
    assert report["file_systems"][0]["mountpoint"] == "/"
    assert report["system"]["name"] == "Debian 12"
    (given,) = mock.commands("guest-set-user-password")
    assert base64.b64decode(given["password"]).decode() == PASSWORD
    (keys,) = mock.commands("guest-ssh-add-authorized-keys")
    assert (keys["username"], keys["keys"]) == ("ann", [KEY])
    (clock,) = mock.commands("guest-set-time")
    assert abs(clock["time"] - time.time_ns()) < 60 * NS
    for path in product.directory.rglob("*"):
        if path.is_file():
            assert PASSWORD.encode() not in path.read_bytes(), path
