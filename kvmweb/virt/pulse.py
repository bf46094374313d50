"""The numbers of one host every tick, whatever hangs there.

One hung QEMU makes getAllDomainStats hang for a minute and more, even with NOWAIT; calls
made meanwhile by others pass it over. So a few threads take turns: one waits for the next
tick while another may still be in a call.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

import libvirt

from kvmweb.errors import HostUnreachable
from kvmweb.virt.reading import asked, host_memory
from kvmweb.virt.stats import FLAGS, GROUPS, GuestMeter, HostMeter, PackedTick

_THREADS = 4
_MEMORY_EVERY = 3  # ticks; a host's memory moves slowly, and the call costs a guest's
_PATIENCE_S = 10.0
_ALL_CPUS = libvirt.VIR_NODE_CPU_STATS_ALL_CPUS


class Pulse:
    """Sends a tick every `tick_s`, without guests where libvirt hangs on them."""

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
        self._turn = threading.Lock()
        self._results = threading.Lock()
        self._guests = GuestMeter(vcpus)
        self._host = HostMeter()
        self._memory: tuple[int | None, int | None] = (None, None)
        self._ticks = 0
        self._next = time.monotonic()
        self._calls: dict[int, float] = {}  # under way: the tick's number, and since
        self._took_s = 0.0
        self._told = 0  # the number of the last tick that was sent
        self._ended = threading.Event()

    def start(self) -> None:
        """Begin to tick."""
        for _ in range(_THREADS):
            threading.Thread(target=self._run, name="pulse", daemon=True).start()

    def end(self) -> None:
        """Tick no more."""
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.is_set():
            with self._turn:
                if self._ended.wait(max(0.0, self._next - time.monotonic())):
                    return
                now = time.monotonic()
                self._next = max(self._next + self._tick_s, now)
                self._ticks += 1
                number, ask = self._ticks, not self._held_up(now)
                if ask:
                    self._calls[number] = now
            try:
                self._tick(number, ask=ask)
            except HostUnreachable as error:
                self._lost(error)
                return
            finally:
                self._calls.pop(number, None)

    def _held_up(self, now: float) -> bool:
        """Whether to let calls under way end first: they are slow, but not yet stuck."""
        patience = max(1.5 * self._tick_s, min(3 * self._took_s, _PATIENCE_S))
        calls = list(self._calls.values())
        return len(calls) >= _THREADS - 1 or any(now - c < patience for c in calls)

    def _tick(self, number: int, *, ask: bool) -> None:
        began = time.monotonic()
        told: list[Any] = []
        if ask:
            told = asked([], self._conn.getAllDomainStats, GROUPS, FLAGS)
        ended = time.monotonic()
        cpu: dict[str, int] = asked({}, self._conn.getCPUStats, _ALL_CPUS, 0)
        memory = self._memory
        if number % _MEMORY_EVERY == 1:
            memory = host_memory(self._conn)
        with self._results:
            if number < self._told or self._ended.is_set():
                return  # the call hung, and others have told since
            self._told, self._memory = number, memory
            if ask:
                self._took_s = ended - began
            packed = self._guests.measure(told, began, ended)
            host = self._host.measure(cpu, memory)
            self._send(PackedTick(time.time(), host, packed))
