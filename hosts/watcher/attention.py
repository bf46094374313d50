"""One host under watch: its eye, a process of its own, and the thread that listens to it.

The thread alone waits for this host; whatever the host does, others are not held up.
"""

import logging
import os
import random
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connection

from hosts.models import Host
from hosts.recorders import tell
from hosts.vault import address_of
from hosts.watcher import recording
from hosts.watcher.recording import LeaseLost
from kvmweb import samples
from kvmweb.errors import AppError
from kvmweb.virt import eye
from kvmweb.virt.children import Child
from kvmweb.virt.connection import spawn
from kvmweb.virt.types import FullLook, Lost, News, Tick

R = TypeVar("R")

log = logging.getLogger(__name__)

SILENCE_S = 20.0  # an eye tells something every two seconds
BACKOFF_S = 1.0
BACKOFF_MAX_S = 10.0
AGAIN_S = 1.0  # between two tries to write to a database that is locked or away
WAKE_S = 3.0  # how soon a wish to stop is noticed where nothing is heard
SETTLE_S = 0.05  # no news for so long: what came is summed up
FULL_LOOK_S = 300.0  # between two looks at everything; the eye notices changes itself
HEARD_S = 30.0  # how old the time may be at which a host was heard last
TOGETHER = 100  # pieces of news in one transaction at most

_SILENT = Lost(
    f"The host took our connection and has said nothing for {SILENCE_S:g} s.",
    "libvirt there may hang, or the network dropped us. We go on trying.",
    "host_timeout",
)
_ENDED = Lost(
    "The process that listens to this host ended.",
    "It is started again by itself; its last words stand in the watcher's log.",
    "host_unreachable",
)


class Attention(threading.Thread):
    """Watches one host until told to stop, or until the host is another watcher's."""

    def __init__(
        self,
        host_id: int,
        watcher: str,
        *,
        after: "Attention | None" = None,
        anew: bool = False,
    ) -> None:
        """Begin once `after` has ended; `anew`: say first that the way there is new."""
        super().__init__(name=f"host-{host_id}", daemon=True)
        self._host_id = host_id
        self._watcher = watcher
        self._after = after
        self._anew = anew
        self._unsettled = False  # facts were stored and not summed up yet
        self._heard_at = float("-inf")  # when the rows last said that it answers
        self._enough = threading.Event()

    def stop(self) -> None:
        """Ask it to end: it does with the next news, or at once when its eye is killed."""
        self._enough.set()

    def run(self) -> None:
        """Connect, listen, and begin again after a pause, longer each time."""
        pause_s = BACKOFF_S
        if self._after:
            self._after.join()
        try:
            if self._anew:
                self._until_written(
                    lambda: recording.connecting(self._host_id, self._watcher)
                )
            while not self._enough.is_set():
                if self._watch_once():
                    pause_s = BACKOFF_S
                self._settle()
                self._enough.wait(pause_s * random.uniform(0.8, 1.2))  # noqa: S311  no secret
                pause_s = min(2 * pause_s, BACKOFF_MAX_S)
        except AppError:
            log.info("Host %s is not watched here any more.", self._host_id)
        finally:
            connection.close()

    def _watch_once(self) -> bool:
        """One connection from its beginning to its end; whether it ever stood."""
        stood = False
        try:
            with self._opened() as child:
                for together in self._heard(child):
                    stood = stood or any(isinstance(n, FullLook) for n in together)
                    self._keep(together)
        except AppError as error:
            if isinstance(error, LeaseLost) or self._enough.is_set():
                raise
            self._keep([Lost(error.detail, error.hint, error.code)])
        return stood

    @contextmanager
    def _opened(self) -> Iterator[Child]:
        host = self._until_written(lambda: _row(self._host_id))
        child = spawn(eye.watch, address_of(host), full_look_s=FULL_LOOK_S)
        _give_up_reading_after(child, SILENCE_S)
        try:
            yield child
        finally:
            child.kill()

    def _heard(self, child: Child) -> Iterator[list[News]]:
        """What came together, again and again; the last is a Lost unless we stop."""
        ready = select.poll()  # made once: the channel's own makes one for each call
        ready.register(child.channel, select.POLLIN)
        quiet_since = time.monotonic()
        while not self._enough.is_set():
            patience_s = SETTLE_S if self._unsettled else WAKE_S
            try:
                together = _received(child) if ready.poll(patience_s * 1000) else []
            except BlockingIOError:  # it stopped in the middle of a message
                together = [_SILENT]
            except (EOFError, OSError):
                together = [_ENDED]
            if self._enough.is_set():
                return
            if together:
                yield together
                quiet_since = time.monotonic()
            elif time.monotonic() - quiet_since > SILENCE_S:
                together = [_SILENT]
                yield together
            else:
                self._settle()
            if together and isinstance(together[-1], Lost):
                return

    def _keep(self, together: list[News]) -> None:
        """Facts into the rows, numbers into Redis."""
        facts = [each for each in together if not isinstance(each, Tick)]
        if facts:
            self._until_written(
                lambda: recording.record(self._host_id, self._watcher, facts)
            )
            self._unsettled = True
            self._heard_at = time.monotonic()
        elif time.monotonic() - self._heard_at > HEARD_S:
            self._heard_at = time.monotonic()
            self._until_written(lambda: tell("heard", self._host_id))
        for each in together:
            if isinstance(each, Tick):
                samples.write(self._host_id, each)

    def _settle(self) -> None:
        if self._unsettled:
            self._unsettled = False
            self._until_written(lambda: recording.settle(self._host_id))

    def _until_written(self, act: Callable[[], R]) -> R:
        """Do it again and again while the database is locked or away."""
        said = ""
        while True:
            try:
                return act()
            except (OperationalError, InterfaceError) as error:
                if str(error) != said:
                    said = str(error)
                    log.warning("Host %s: the database said %s", self._host_id, said)
                connection.close()
            if self._enough.wait(AGAIN_S):
                raise LeaseLost(f"Host {self._host_id} is not watched here any more.")


def _row(host_id: int) -> Host:
    host = Host.objects.filter(pk=host_id).first()
    if host is None:
        raise LeaseLost(f"Host {host_id} was removed.")
    return host


def _received(child: Child) -> list[News]:
    """Everything that has come, up to TOGETHER pieces, at least one."""
    together: list[News] = [child.channel.recv()]
    try:
        while len(together) < TOGETHER and child.channel.poll(0):
            together.append(child.channel.recv())
    except EOFError:  # it says so again when asked the next time
        return together
    return together


def _give_up_reading_after(child: Child, seconds: float) -> None:
    """Let a read of a message that is not finished in time raise BlockingIOError."""
    with socket.socket(fileno=os.dup(child.fileno())) as channel:
        limit = struct.pack("ll", int(seconds), 0)
        channel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
