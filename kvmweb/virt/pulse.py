"""The numbers of one host every tick, whatever hangs there.

One hung QEMU makes getAllDomainStats hang for a minute and more, even with NOWAIT; calls
made meanwhile by others pass it over. So a thread that hangs is given a successor, and
what it brings home late is thrown away.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

import libvirt

from kvmweb.errors import HostUnreachable
from kvmweb.virt.reading import asked, host_memory
from kvmweb.virt.stats import FLAGS, GROUPS, GuestMeter, HostMeter
from kvmweb.virt.ticks import PackedTick
from kvmweb.virt.types import HostSample

_SUCCESSORS = 3  # each hanging call keeps one of libvirtd's few places for a client
_MEMORY_EVERY = 5  # ticks; a host's memory moves slowly, and asking is a round trip
_PATIENCE_S = 10.0
_QUIET_S = 4.0
_ALL_CPUS = libvirt.VIR_NODE_CPU_STATS_ALL_CPUS
_NO_SAMPLE = HostSample(None, None, None)


class Pulse:
    """Sends a tick every `tick_s`; one without guests where libvirt hangs on them."""

    def __init__(
        self,
        conn: libvirt.virConnect,
        send: Callable[[PackedTick], None],
        lost: Callable[[HostUnreachable], None],
        *,
        vcpus: dict[bytes, int],
        tick_s: float,
    ) -> None:
        self._conn, self._send, self._lost, self._tick_s = conn, send, lost, tick_s
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
        ticks = 0
        tick_at = time.monotonic()
        try:
            while not self._ended.wait(max(0.0, tick_at - time.monotonic())):
                if not self._tick(generation, ask_memory=ticks % _MEMORY_EVERY == 0):
                    return
                ticks += 1
                tick_at = max(tick_at + self._tick_s, time.monotonic())
        except HostUnreachable as error:
            self._lost(error)

    def _tick(self, generation: int, *, ask_memory: bool) -> bool:
        """One tick; whether this thread is still the one whose turn it is."""
        began = time.monotonic()
        self._asking_since = began
        told: list[Any] = asked([], self._conn.getAllDomainStats, GROUPS, FLAGS)
        ended = time.monotonic()
        with self._lock:
            if generation != self._generation:
                self._hanging -= 1
                return False
            self._asking_since = None
        self._took_s = ended - began
        cpu: dict[str, int] = asked({}, self._conn.getCPUStats, _ALL_CPUS, 0)
        if ask_memory:
            self._memory = host_memory(self._conn)
        packed = self._guests.measure(told, began, ended)
        host = self._host.measure(cpu, self._memory)
        self._told_at = time.monotonic()
        self._send(PackedTick(time.time(), host, packed))
        return True
