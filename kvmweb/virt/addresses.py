"""Which IP addresses the guests of a host have, by leases, ARP and their agents.

Agents may hang for minutes and lie; each is asked rarely, in a thread of its own, and
what it holds up is a place among a few.
"""

import threading
import time
from collections.abc import Callable, Iterable
from uuid import UUID

import libvirt

from kvmweb.errors import AppError
from kvmweb.virt.errors import explaining
from kvmweb.virt.facts import Addresses, merged
from kvmweb.virt.reading import AGENT, ARP, addresses_of
from kvmweb.virt.types import AddressFacts, DomainFacts, DomainState, NetworkFacts

_AT_ONCE = 2
_AGAIN_S = 60.0
_SOON_S = 4.0  # while a guest that runs has no address yet
_SOON_TIMES = 15
_SILENT_KINDS = {"user", "hostdev", "vdpa", "udp"}  # whose host sees no ARP of theirs


class AddressBook:
    """The addresses that were told so far; `found` is called with guests that got new."""

    def __init__(
        self, connect: Callable[[], libvirt.virConnect], found: Callable[[UUID], None]
    ) -> None:
        self._connect, self._found = connect, found
        self._leases: Addresses = {}
        self._told: dict[UUID, Addresses] = {}
        self._next: dict[UUID, tuple[float, int]] = {}  # when to ask, how often we did
        self._asking: set[UUID] = set()
        self._lock = threading.Lock()

    def of(self, facts: DomainFacts) -> Addresses:
        """The addresses of a domain by MAC; none for one that does not run."""
        if not facts.nics or facts.state != DomainState.RUNNING:
            self._told.pop(facts.uuid, None)
            self._next.pop(facts.uuid, None)
            return {}
        return merged(self._told.get(facts.uuid, {}), self._leases)

    def set_leases(self, networks: Iterable[NetworkFacts]) -> bool:
        """Take over what the DHCP servers gave out; whether that is something new."""
        leases: dict[str, tuple[AddressFacts, ...]] = {}
        for network in networks:
            for lease in network.leases:
                mac, facts = lease.mac.lower(), AddressFacts(lease.address, "lease")
                leases[mac] = (*leases.get(mac, ()), facts)
        changed = leases != self._leases
        self._leases = leases
        return changed

    def ask(self, domains: Iterable[DomainFacts]) -> None:
        """Begin to ask one whose turn it is; what comes of it is told by `found`.

        One only, so that a call a second is what this costs the host and us.
        """
        now = time.monotonic()
        for facts in domains:
            at, times = self._next.get(facts.uuid, (0.0, 0))
            if at > now or not _tells_more(facts) or not self._begin(facts):
                continue
            addressed = any(nic.addresses for nic in facts.nics)
            pause = _AGAIN_S if addressed or times >= _SOON_TIMES else _SOON_S
            self._next[facts.uuid] = now + pause, times + 1
            return

    def _begin(self, facts: DomainFacts) -> bool:
        with self._lock:
            if len(self._asking) >= _AT_ONCE or facts.uuid in self._asking:
                return False
            self._asking.add(facts.uuid)
        thread = threading.Thread(
            target=self._ask, args=(facts,), name="addresses", daemon=True
        )
        thread.start()
        return True

    def _ask(self, facts: DomainFacts) -> None:
        try:
            with explaining("ask for the guest's addresses"):
                dom = self._connect().lookupByUUID(facts.uuid.bytes)
            sources = [AGENT, ARP] if facts.agent else [ARP]
            told = merged(*(addresses_of(dom, source) for source in sources))
        except AppError:
            return  # it went; or the connection did, which others tell
        finally:
            with self._lock:
                self._asking.discard(facts.uuid)
        if told != self._told.get(facts.uuid, {}):
            self._told[facts.uuid] = told
            self._found(facts.uuid)


def _tells_more(facts: DomainFacts) -> bool:
    """Whether asking the host or an agent can tell more than the leases do."""
    if facts.state != DomainState.RUNNING or not facts.nics:
        return False
    if facts.agent:
        return True
    return any(
        nic.kind not in _SILENT_KINDS
        and {each.source for each in nic.addresses} <= {"arp"}
        for nic in facts.nics
    )
