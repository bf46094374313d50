"""The numbers of one host every tick, whatever hangs there.

One hung QEMU makes getAllDomainStats hang for a minute and more, even with NOWAIT; calls
made meanwhile by others pass it over. So a thread that hangs is given a successor with
a connection of its own, and what it brings home late is thrown away.
"""

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import libvirt

from kvmweb.errors import AppError
from kvmweb.virt.reading import asked, host_memory
from kvmweb.virt.stats import FLAGS, GROUPS, GuestMeter, HostMeter
from kvmweb.virt.ticks import PackedTick
from kvmweb.virt.types import HostSample

_SUCCESSORS = 4  # each hanging call keeps one of libvirtd's twenty workers
_MEMORY_EVERY = 5  # ticks; a host's memory moves slowly, and asking is a round trip
_PATIENCE_S = 10.0
_QUIET_S = 4.0
_ALL_CPUS = libvirt.VIR_NODE_CPU_STATS_ALL_CPUS
_NO_SAMPLE = HostSample(None, None, None)


class Pulse:
    """Sends a tick every `tick_s`; one without guests where libvirt hangs on them."""

    def __init__(
        self,
        connect: Callable[[], AbstractContextManager[libvirt.virConnect]],
        send: Callable[[PackedTick], None],
        lost: Callable[[AppError], None],
        *,
        vcpus: dict[bytes, int],
        tick_s: float,
    ) -> None:
        self._connect, self._send, self._lost = connect, send, lost
        self._tick_s = tick_s
        self._guests = GuestMeter(vcpus)
        self._host = HostMeter()
        self._memory: tuple[int | None, int | None] = (None, None)
        self._lock = threading.Lock()
        self._generation = 0  # the thread whose turn it is
        self._asking_since: float | None = None
        self._took_s = 0.0
        self._told_at = time.monotonic()
        self._hanging = 0
        self._ended = threading.Event()

    def start(self) -> None:
        """Begin to tick."""
        self._generation += 1
        thread = threading.Thread(
            target=self._run, args=(self._generation,), name="pulse", daemon=True
        )
        thread.start()

    def end(self) -> None:
        """Tick no more."""
        self._ended.set()

    def relieve(self) -> None:
        """Give a thread that hangs a successor; to be called about every second."""
        now = time.monotonic()
        patience = max(1.4 * self._tick_s, min(3 * self._took_s, _PATIENCE_S))
        with self._lock:
            since = self._asking_since
            hangs = since is not None and now - since > patience
            if hangs and self._hanging < _SUCCESSORS:
                self._hanging += 1
                self._asking_since = None
                self.start()

    @property
    def quiet(self) -> bool:
        """Whether nothing was said for longer than a tick should take."""
        return time.monotonic() - self._told_at > _QUIET_S

    def say_alive(self) -> None:
        """Send a tick that only says that the host answers."""
        self._told_at = time.monotonic()
        self._send(PackedTick(time.time(), _NO_SAMPLE, b""))

    def _run(self, generation: int) -> None:
        try:
            with self._connect() as conn:
                self._tick_on(conn, generation)
        except AppError as error:
            self._lost(error)

    def _tick_on(self, conn: libvirt.virConnect, generation: int) -> None:
        """Tick until it ends or a successor has taken over."""
        ticks = 0
        tick_at = time.monotonic()
        while not self._ended.wait(max(0.0, tick_at - time.monotonic())):
            began = time.monotonic()
            self._asking_since = began
            told: list[Any] = asked([], conn.getAllDomainStats, GROUPS, FLAGS)
            ended = time.monotonic()
            with self._lock:
                if generation != self._generation:
                    self._hanging -= 1
                    return
                self._asking_since = None
            self._took_s = ended - began
            if ticks % _MEMORY_EVERY == 0:
                self._memory = host_memory(conn)
            packed = self._guests.measure(told, began, ended)
            told.clear()  # the next answer then fits into the same, warm memory
            self._tell(conn, packed)
            ticks += 1
            tick_at = max(tick_at + self._tick_s, time.monotonic())

    def _tell(self, conn: libvirt.virConnect, packed: bytes) -> None:
        cpu: dict[str, int] = asked({}, conn.getCPUStats, _ALL_CPUS, 0)
        host = self._host.measure(cpu, self._memory)
        self._told_at = time.monotonic()
        self._send(PackedTick(time.time(), host, packed))
