"""Redis restarted or hung: nobody waits for it, and pages are told to ask again."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from kvmweb.live import news
from tests.environment import FOLDER
from tests.kvmweb.live.conftest import Ears, reached
from tests.waiting import until


class Server:
    """A Redis of one's own, to be broken."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def start(self) -> None:
        """Start it, and wait until its socket is there."""
        self.path.unlink(missing_ok=True)
        words = f"redis-server --port 0 --unixsocket {self.path} --appendonly no"
        self.process = subprocess.Popen(
            [*words.split(), "--save", "", "--dir", str(self.path.parent)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        until(self.path.exists, 10)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.process.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait(10)


@pytest.fixture
def redis_server(
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Server]:
    server = Server(FOLDER / "breaks.sock")
    server.start()
    monkeypatch.setattr(settings, "REDIS_URL", f"unix://{server.path}")
    monkeypatch.setattr(news, "_SENDER", news._Sender())
    yield server
    server.kill()


def test_a_restart_means_ask_again(redis_server: Server, ears: Ears) -> None:
    redis_server.kill()
    ears.next("stale")
    begun = time.monotonic()
    news.publish("guests", "state", {"lost": True})
    assert time.monotonic() - begun < 1
    redis_server.start()
    ears.next("resync", seconds=15)
    until(lambda: reached(ears), 10)


def test_a_hung_one_holds_no_publisher_up(redis_server: Server, ears: Ears) -> None:
    redis_server.send(signal.SIGSTOP)
    begun = time.monotonic()
    news.publish("guests", "state", {"lost": True})
    assert time.monotonic() - begun < 1.5
    begun = time.monotonic()
    news.publish("guests", "state", {"lost": True})
    assert time.monotonic() - begun < 0.1  # the second does not even try
    redis_server.send(signal.SIGCONT)
    until(lambda: reached(ears, "resync"), 15)  # the numbers told that some was lost
