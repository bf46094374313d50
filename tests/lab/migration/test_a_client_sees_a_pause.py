"""Who talks to a guest while it moves sees a pause, and as long a one as is reported."""

import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

import pytest

from deploy.lab import Lab
from deploy.lab_host import LabHost, command
from deploy.product import Product
from tests.lab.migration.ground import moved
from tests.lab.shell import Shell
from tests.scene import guest
from tests.waiting import until

pytestmark = pytest.mark.lab
Mover = Callable[..., str]
PORT = 7
EVERY_S = 0.02
WITH_LEASES = """<network><name>wire</name><bridge name='wire' stp='off'/>
<ip address='{net}.2' netmask='255.255.255.0'>
<dhcp><range start='{net}.77' end='{net}.99'/></dhcp></ip></network>"""
BRIDGED = """<network><name>wire</name><forward mode='bridge'/>
<bridge name='wire'/></network>"""


@pytest.fixture(scope="module")
def wire(lab3: Lab) -> Iterator[Lab]:
    """The lab, with a network on each host that leads its guests onto one wire.

    The first host gives out its addresses; this machine has one there, too.
    """
    net = _net(lab3)
    command("ip", "addr", "add", f"{net}.1/24", "dev", lab3.bridge)
    for host in lab3.hosts:
        _wired(lab3, host)
    yield lab3
    for host in lab3.hosts:
        host.virsh("net-destroy", "wire")
        host.virsh("net-undefine", "wire")
        command("ip", "link", "del", _link(lab3, host))
        if host is not lab3.hosts[0]:
            command("ip", "-n", host.name, "link", "del", "wire")
    command("ip", "addr", "del", f"{net}.1/24", "dev", lab3.bridge)


def _net(lab: Lab) -> str:
    """A network beside the lab's own, as free as that."""
    _, second, third, _ = lab.gateway.split(".")
    return f"172.{16 + int(second) % 16}.{third}"


def _link(lab: Lab, host: LabHost) -> str:
    return f"{lab.prefix}v{10 + host.number}"


def _wired(lab: Lab, host: LabHost) -> None:
    """A second cable from the host to the lab's bridge, for its guests alone."""
    gives = host is lab.hosts[0]
    # Both cables lie on one bridge: each may answer for its own addresses alone, or
    # others keep sending to the second one when it is gone.
    host.run("sysctl", "-qw", "net.ipv4.conf.all.arp_ignore=1")
    paper = host.root / "wire.xml"
    paper.write_text(WITH_LEASES.format(net=_net(lab)) if gives else BRIDGED)
    host.virsh("net-define", str(paper))
    peer = ("peer", "name", "eth1", "netns", host.name)
    command("ip", "link", "add", _link(lab, host), "type", "veth", *peer)
    command("ip", "link", "set", _link(lab, host), "master", lab.bridge, "up")
    inside = ("ip", "-n", host.name, "link")
    if not gives:  # there libvirt makes it
        command(*inside, "add", "wire", "type", "bridge")
        command(*inside, "set", "wire", "up")
    host.virsh("net-start", "wire")
    command(*inside, "set", "eth1", "master", "wire", "up")


class Talk:
    """A connection to the guest that stays open, in which something is said all the time."""

    def __init__(self, address: str) -> None:
        self.longest_s = 0.0
        self.echoes = 0
        self._ends = threading.Event()
        self._socket = socket.create_connection((address, PORT), timeout=5)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def go_on(self) -> None:
        """Say a letter every 20 ms, and hear it again, until told to end."""
        last = time.monotonic()
        while not self._ends.wait(EVERY_S):
            self._socket.send(b"x")
            if select.select([self._socket], [], [], 0)[0]:
                self.echoes += len(self._socket.recv(4096))
                now = time.monotonic()
                self.longest_s, last = max(self.longest_s, now - last), now

    def end(self, speaker: threading.Thread) -> None:
        """No more."""
        self._ends.set()
        speaker.join(5)
        self._socket.close()


@contextmanager
def talking(address: str) -> Iterator[Talk]:
    """All through the block."""
    talk = Talk(address)
    thread = threading.Thread(target=talk.go_on, daemon=True)
    thread.start()
    try:
        yield talk
    finally:
        talk.end(thread)


def test_a_connection_outlives_the_move_and_its_pause_is_reported(
    wire: Lab, moving_product: Product, mover: Mover
) -> None:
    here, there = wire.hosts[:2]
    uuid = mover("talks", running=False)
    card = ("attach-interface", uuid, "network", "wire", "--model", "virtio")
    here.virsh(*card, "--config")
    here.virsh("start", uuid)
    with Shell(here, UUID(uuid)) as shell:
        shell.booted().say(f"(nc -ll -p {PORT} -e cat &) </dev/null >/dev/null 2>&1")
    until(lambda: guest(moving_product, uuid)["ip_addresses"], 20)
    (address,) = guest(moving_product, uuid)["ip_addresses"]
    with talking(address) as talk:
        until(lambda: talk.echoes > 20, 10)
        result = moved(moving_product, uuid, there)["result"]
        before = talk.echoes
        until(lambda: talk.echoes > before + 20, 10)
    said_ms, seen_ms = result["downtime_ms"], result["seen_downtime_ms"]
    assert said_ms > 0
    assert said_ms / 3 < seen_ms < said_ms * 4 + 500, result
    assert seen_ms / 3 < talk.longest_s * 1000 < seen_ms * 4 + 500, talk.longest_s
    (row,) = moving_product.call("GET", f"moves/?guest={uuid}").body["items"]
    assert row["seen_downtime_ms"] == seen_ms
