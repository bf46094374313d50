"""The picture of all domains of one host, kept true by looking again when woken.

Threads of their own do the looking, so one domain that makes libvirt hang holds up
nothing but itself. What is sent is always what the picture says at that moment.
"""

import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

import libvirt

from kvmweb.errors import HostUnreachable, NotFound
from kvmweb.virt.errors import explaining
from kvmweb.virt.facts import Addresses, with_addresses
from kvmweb.virt.reading import Known, document_facts, status_of
from kvmweb.virt.types import (
    DomainFacts,
    DomainSeen,
    DomainState,
    DomainVanished,
)

Send = Callable[[DomainSeen | DomainVanished], None]

COALESCE_S = 0.01  # libvirt announces one start as two or three events
STUCK_S = 10.0
_LOOKERS = 2
_MOST_LOOKERS = 5

# Told even if nothing looks different afterwards; of several the later one here wins.
_NOTABLE = (
    "agent",
    "device-added",
    "device-removed",
    "edited",
    "resumed",
    "paused",
    "shutting-down",
    "defined",
    "rebooted",
    "watchdog",
    "io-error",
    "device-removal-failed",
    "memory-failure",
    "woken",
    "suspended",
    "started",
    "restored",
    "migrated-in",
    "stopped",
    "destroyed",
    "shutdown",
    "saved",
    "migrated-away",
    "undefined",
    "reverted",
    "renamed",
    "failed",
    "crashed",
)
_RANK = {word: rank for rank, word in enumerate(_NOTABLE, 1)}
STARTS = {"started", "restored", "reverted"}
_ON = {
    DomainState.RUNNING,
    DomainState.PAUSED,
    DomainState.SHUTTING_DOWN,
    DomainState.SUSPENDED,
}


@dataclass(slots=True)
class _Due:
    """One domain to be looked at: from when on, and what woke us."""

    at: float
    word: str
    known: Known | None = None  # from a list, so fewer calls are needed


class Picture:
    """All domains of a host as last seen; `run` it in a few threads.

    `send` is called with `lock` held, so who holds it sees nothing change.
    """

    def __init__(
        self,
        conn: libvirt.virConnect,
        send: Send,
        lost: Callable[[HostUnreachable], None],
    ) -> None:
        self.lock = threading.RLock()
        self.facts: dict[UUID, DomainFacts] = {}
        self.vcpus: dict[bytes, int] = {}  # of those that run, for the statistics
        self.addresses: Callable[[DomainFacts], Addresses] = lambda _facts: {}
        self._conn, self._send, self._lost = conn, send, lost
        self._woken = threading.Condition()
        self._due: dict[UUID, _Due] = {}
        self._busy: dict[UUID, float] = {}
        self._started: dict[UUID, datetime] = {}
        self._looked: dict[UUID, float] = {}
        self._ended = False
        self._threads = 0

    def start(self) -> None:
        """Begin to look."""
        for _ in range(_LOOKERS):
            self._start_thread()

    def end(self) -> None:
        """Look no more; a look under way may still end, and says nothing."""
        with self._woken:
            self._ended = True
            self._woken.notify_all()

    def wake(self, uuid: UUID, word: str = "", known: Known | None = None) -> None:
        """Look at this domain soon; words that nobody announced may wait a bit more."""
        now = time.monotonic()
        with self._woken:
            due = self._due.get(uuid)
            if due is None:
                self._due[uuid] = _Due(now + (COALESCE_S if word else 0), word, known)
            else:
                due.known = None  # what the list said may be older than the event
                if _RANK.get(word, 0) >= _RANK.get(due.word, 0):
                    due.word = word
            self._woken.notify()

    @property
    def waiting(self) -> int:
        """How many domains are still to be looked at."""
        with self._woken:
            return len(self._due) + len(self._busy)

    def replace_stuck(self) -> bool:
        """Give looks that hang a thread in their stead; False when too many hang."""
        limit = time.monotonic() - STUCK_S
        with self._woken:
            stuck = sum(1 for since in self._busy.values() if since < limit)
        while self._threads - stuck < _LOOKERS and self._threads < _MOST_LOOKERS:
            self._start_thread()
        return stuck < _MOST_LOOKERS

    def readdress(self, uuid: UUID) -> None:
        """Send the domain again if its addresses are others now."""
        with self.lock:
            facts = self.facts.get(uuid)
            if facts is not None:
                self._show(with_addresses(facts, self.addresses(facts)), "")

    def _start_thread(self) -> None:
        self._threads += 1
        threading.Thread(target=self._run, name="looker", daemon=True).start()

    def _run(self) -> None:
        while (task := self._next()) is not None:
            uuid, due = task
            try:
                self._look(uuid, due)
            except HostUnreachable as error:
                self._lost(error)
            finally:
                with self._woken:
                    del self._busy[uuid]
                    self._woken.notify()

    def _next(self) -> tuple[UUID, _Due] | None:
        """The next domain to look at, announced ones first; None at the end."""
        with self._woken:
            while not self._ended:
                now = time.monotonic()
                free = [u for u in self._due if u not in self._busy]
                ready = [u for u in free if self._due[u].at <= now]
                if ready:
                    uuid = next((u for u in ready if self._due[u].word), ready[0])
                    self._busy[uuid] = now
                    return uuid, self._due.pop(uuid)
                soonest = min((self._due[u].at for u in free), default=None)
                self._woken.wait(None if soonest is None else soonest - now)
        return None

    def _look(self, uuid: UUID, due: _Due) -> None:
        now, heard_at = time.monotonic(), datetime.fromtimestamp(time.time(), UTC)
        try:
            known = due.known
            if known is None or known.listed_at < self._looked.get(uuid, 0.0):
                with explaining("look at the guest"):
                    dom = self._conn.lookupByUUID(uuid.bytes)
                known = Known(dom, status_of(dom))
            facts = document_facts(known, self.facts.get(uuid))
        except NotFound:
            self._vanish(uuid, due.word)
            return
        with self.lock:
            self._looked[uuid] = now
            if due.word in STARTS and facts.state in _ON:
                self._started[uuid] = heard_at
            elif facts.state not in _ON:
                self._started.pop(uuid, None)
            facts = replace(facts, started_at=self._started.get(uuid))
            self._show(with_addresses(facts, self.addresses(facts)), due.word)

    def _show(self, facts: DomainFacts, word: str) -> None:
        """Put a domain into the picture, and tell if it or its event is news."""
        if self._ended:
            return
        before = self.facts.get(facts.uuid)
        self.facts[facts.uuid] = facts
        if facts.state in _ON:
            self.vcpus[facts.uuid.bytes] = facts.vcpus
        else:
            self.vcpus.pop(facts.uuid.bytes, None)
        if word == "failed" and facts.state == DomainState.CRASHED:
            word = "crashed"  # libvirt's event for a QEMU that went without a word
        if facts != before or word in _RANK:
            self._send(DomainSeen(facts, word))

    def _vanish(self, uuid: UUID, word: str) -> None:
        with self.lock:
            self._started.pop(uuid, None)
            self._looked.pop(uuid, None)
            self.vcpus.pop(uuid.bytes, None)
            if self.facts.pop(uuid, None) is not None and not self._ended:
                self._send(DomainVanished(uuid, word))

    def compare(self, listed: Collection[UUID]) -> None:
        """Wake for each domain that a list knows and we don't, or the other way round."""
        with self.lock:
            unlisted = [uuid for uuid in self.facts if uuid not in listed]
            unseen = [uuid for uuid in listed if uuid not in self.facts]
        for uuid in unlisted + unseen:
            self.wake(uuid)
