"""Rounds for what libvirt does not announce: snapshots, autostart, quiet edits.

Bulk questions that cost the same for one guest and a thousand, and single ones for a
few guests at a time, so that all of a round costs about a millisecond.
"""

import itertools
from collections.abc import Iterator
from uuid import UUID

import libvirt

from kvmweb.errors import NotFound
from kvmweb.virt.looking import Picture
from kvmweb.virt.reading import asked, domain_list
from kvmweb.virt.types import DomainFacts

ROUND_S = 1.0
_LIST_EVERY = 5  # rounds
_COUNTED = 10  # guests with snapshots whose number is asked in one round
_READ = 3  # documents read in one round


class Rounds:
    """One round after the other; what it finds odd it wakes the picture for."""

    def __init__(self, conn: libvirt.virConnect, picture: Picture) -> None:
        self._conn, self._picture = conn, picture
        self._number = 0
        self._readers = self._each_in_turn()

    def go(self) -> None:
        """One round. Raises HostUnreachable."""
        self._number += 1
        self._snapshots()
        self._documents()
        if self._number % _LIST_EVERY == 0:
            self._autostart()
            self._existence()

    def look_at_all(self) -> None:
        """Have every domain looked at again. Raises HostUnreachable, HostError."""
        listed = domain_list(self._conn)
        self._picture.compare(listed.keys())
        for uuid, known in listed.items():
            self._picture.wake(uuid, known=known)

    def _snapshots(self) -> None:
        flag = libvirt.VIR_CONNECT_LIST_DOMAINS_HAS_SNAPSHOT
        having = {UUID(bytes=dom.UUID()): dom for dom in self._listed(flag)}
        facts = self._picture.facts
        for uuid, seen in list(facts.items()):
            if bool(seen.snapshots) != (uuid in having):
                self._picture.wake(uuid)
        first = self._number * _COUNTED % (len(having) or 1)
        turn = itertools.islice(
            itertools.cycle(having.items()), first, first + _COUNTED
        )
        for uuid, dom in dict(itertools.islice(turn, len(having))).items():
            try:
                count = asked(0, dom.snapshotNum, 0)
            except NotFound:
                continue
            if uuid in facts and facts[uuid].snapshots != count:
                self._picture.wake(uuid)

    def _documents(self) -> None:
        for facts in itertools.islice(self._readers, _READ):
            if facts is None:
                return
            try:
                dom = self._conn.lookupByUUID(facts.uuid.bytes)
                xml = asked("", dom.XMLDesc, libvirt.VIR_DOMAIN_XML_INACTIVE)
            except (libvirt.libvirtError, NotFound):
                self._picture.wake(facts.uuid)
                continue
            now = self._picture.facts.get(facts.uuid, facts)
            if now.persistent and xml != now.inactive_xml:
                self._picture.wake(facts.uuid)

    def _each_in_turn(self) -> Iterator[DomainFacts | None]:
        """All domains, again and again; None after the last."""
        while True:
            yield from list(self._picture.facts.values())
            yield None

    def _autostart(self) -> None:
        flag = libvirt.VIR_CONNECT_LIST_DOMAINS_AUTOSTART
        autostart = {UUID(bytes=dom.UUID()) for dom in self._listed(flag)}
        for uuid, seen in list(self._picture.facts.items()):
            if seen.autostart != (uuid in autostart):
                self._picture.wake(uuid)

    def _existence(self) -> None:
        listed = {UUID(bytes=dom.UUID()) for dom in self._listed(0)}
        self._picture.compare(listed)

    def _listed(self, flag: int) -> list[libvirt.virDomain]:
        found: list[libvirt.virDomain] = asked([], self._conn.listAllDomains, flag)
        return found
