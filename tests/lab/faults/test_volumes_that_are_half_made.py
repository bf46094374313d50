"""Worker or libvirtd die in the middle of a copy and an upload: nobody can choose half.

What a crash leaves looks whole to libvirt: a file of full size that nothing marks.
"""

import http.client
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from deploy.lab_host import LabHost
from deploy.product import Product
from tests.lab import volumes as ask
from tests.lab.volumes import MIB
from tests.scene import active
from tests.waiting import until

pytestmark = pytest.mark.lab
IMAGES = "var/lib/libvirt/images"
COPIED = 768 * MIB
SENT = 256 * MIB


@pytest.fixture
def home(product: Product, kvm: LabHost) -> int:
    """The id of its default pool."""
    host = ask.host_id(product, kvm.name)
    until(lambda: ask.pool(product, host))
    return int(ask.pool(product, host)["id"])


@pytest.fixture
def source(product: Product, kvm: LabHost, home: int) -> Iterator[Path]:
    """A volume that takes a while to copy."""
    path = kvm.root / IMAGES / "large.img"
    piece = os.urandom(16 * MIB)
    with path.open("wb") as file:
        for _ in range(COPIED // len(piece)):
            file.write(piece)
    kvm.virsh("pool-refresh", "default")
    until(lambda: ask.volume(product, home, "large.img"), 45)
    yield path
    path.unlink()
    kvm.virsh("pool-refresh", "default")


class Slow(threading.Thread):
    """Sends half of a file, then waits; what it was answered in the end."""

    def __init__(self, product: Product, volume: int) -> None:
        super().__init__(daemon=True)
        self.half = threading.Event()
        self.status = 0
        self._product, self._volume = product, volume

    def run(self) -> None:
        there = http.client.HTTPConnection("127.0.0.1", self._product.port, timeout=120)
        there.putrequest("PUT", f"/api/v1/volumes/{self._volume}/content/")
        there.putheader("Authorization", f"Bearer {self._product.token}")
        there.putheader("Content-Length", str(SENT))
        there.endheaders()
        with suppress(OSError, http.client.HTTPException):
            there.send(os.urandom(SENT // 2))
            self.half.set()
            for _ in range(200):  # the rest trickles, so that it sees the end
                there.send(bytes(1024))
                time.sleep(0.05)
            self.status = there.getresponse().status
        there.close()


class Watched(threading.Thread):
    """Looks all the time whether half a volume is said to be ready."""

    def __init__(self, product: Product, home: int, *names: str) -> None:
        super().__init__(daemon=True)
        self.ready: list[str] = []
        self._over = threading.Event()
        self._ask = lambda: [ask.volume(product, home, name) for name in names]

    def run(self) -> None:
        while not self._over.wait(0.3):
            with suppress(OSError):
                found = [each for each in self._ask() if each.get("state") == "ready"]
                self.ready += [each["name"] for each in found]

    def end(self) -> None:
        self._over.set()
        self.join()


def worker_dies(product: Product, _kvm: LabHost) -> None:
    for pid in product.pids("celery"):
        os.kill(pid, signal.SIGKILL)


def libvirtd_dies(_product: Product, kvm: LabHost) -> None:
    kvm.kill_libvirtd()
    kvm.start_libvirtd()


def _written(path: Path) -> int:
    """So many bytes of it; none when it was taken away already."""
    try:
        return path.stat().st_blocks * 512
    except FileNotFoundError:
        return 0


@pytest.mark.parametrize("die", [worker_dies, libvirtd_dies])
def test_half_a_volume_is_never_ready(
    product: Product,
    kvm: LabHost,
    home: int,
    source: Path,
    die: Callable[[Product, LabHost], None],
) -> None:
    before = {path.name for path in source.parent.iterdir()}
    slow = sending(product, home)
    watched = Watched(product, home, "sent.img", "copy.img")
    watched.start()
    copied = copying(product, home, source)
    die(product, kvm)
    assert _written(copied) < COPIED  # it was in the middle of it
    slow.join(60)
    assert slow.status != 202
    until(lambda: not active(product), 120, why="An operation never ends.")
    until(lambda: not ask.volume(product, home, "sent.img"), 60)
    ask.unfinished_is_gone(product, home, "copy.img")
    watched.end()
    assert "sent.img" not in watched.ready
    if copy := ask.volume(product, home, "copy.img"):  # made once more, and whole
        assert copied.read_bytes() == source.read_bytes()
        ask.done(product, product.call("DELETE", f"volumes/{copy['id']}/?now=true"))
    else:
        assert "copy.img" not in watched.ready
    assert {path.name for path in source.parent.iterdir()} == before


def sending(product: Product, home: int) -> Slow:
    """An upload that is half there."""
    slow = Slow(product, ask.made(product, home, "sent.img", SENT))
    slow.start()
    assert slow.half.wait(30)
    until(lambda: ask.volume(product, home, "sent.img")["state"] == "building")
    return slow


def copying(product: Product, home: int, source: Path) -> Path:
    """A copy that has begun: its file."""
    large = ask.volume(product, home, source.name)["id"]
    said = product.call("POST", f"volumes/{large}/clone/", {"name": "copy.img"})
    assert said.status == 202, said.body
    path = source.parent / "copy.img"
    until(path.exists, 20, pause=0.002)
    return path
