"""Rounds for what libvirt does not announce: snapshots, autostart, quiet edits.

Bulk questions, whose cost hardly depends on how many guests there are, and single ones
for a few guests at a time: a round is two or three round trips.
"""

from uuid import UUID

import libvirt

from kvmweb.errors import NotFound
from kvmweb.virt.looking import Picture
from kvmweb.virt.reading import asked, domain_list

_ROUND_S = 1.0
_LARGE_ROUND_S = 2.0
_LARGE = 50  # guests; a round then costs too much of what a tick may
_READ_EVERY = 2  # rounds
_AUTOSTART_EVERY = 5
_LIST_EVERY = 15  # that a guest came or went is announced
_COUNTED = 10  # guests with snapshots whose number is asked in one round
_INACTIVE = libvirt.VIR_DOMAIN_XML_INACTIVE


class Rounds:
    """One round after the other; what it finds odd it wakes the picture for."""

    def __init__(self, conn: libvirt.virConnect, picture: Picture) -> None:
        self._conn, self._picture = conn, picture
        self._number = 0
        self._all: list[libvirt.virDomain] = []
        self._with_snapshots: set[UUID] = set()

    @property
    def pause_s(self) -> float:
        """How long to wait before the next."""
        return _ROUND_S if len(self._picture.facts) <= _LARGE else _LARGE_ROUND_S

    def go(self) -> None:
        """One round. Raises HostUnreachable."""
        self._number += 1
        self._snapshots()
        if self._number % _READ_EVERY == 0:
            self._document()
        if self._number % _AUTOSTART_EVERY == 0:
            self._autostart()
        if self._number % _LIST_EVERY == 1:
            self._existence()

    def look_at_all(self) -> None:
        """Have every domain looked at again. Raises HostUnreachable, HostError."""
        listed = domain_list(self._conn)
        self._picture.compare(listed.keys())
        for uuid, known in listed.items():
            self._picture.wake(uuid, known=known)

    def _snapshots(self) -> None:
        """Whether each has any, by one call; how many, by one for each that has."""
        flag = libvirt.VIR_CONNECT_LIST_DOMAINS_HAS_SNAPSHOT
        having = {UUID(bytes=dom.UUID()): dom for dom in self._listed(flag)}
        for uuid in self._with_snapshots ^ having.keys():
            self._picture.wake(uuid)
        self._with_snapshots = set(having)
        begin = self._number * _COUNTED % (len(having) or 1)
        turn = (list(having.items()) * 2)[begin : begin + min(_COUNTED, len(having))]
        for uuid, dom in turn:
            try:
                count = asked(0, dom.snapshotNum, 0)
            except NotFound:
                continue
            self._wake_unless(uuid, "snapshots", count)

    def _document(self) -> None:
        """What a guest will start with may be changed in silence: one guest at a time."""
        if not self._all:
            return
        turn = self._number // _READ_EVERY
        dom = self._all[turn % len(self._all)]
        uuid = UUID(bytes=dom.UUID())
        facts = self._picture.facts.get(uuid)
        running = facts is not None and facts.inactive_xml != facts.xml
        flags = 0 if running and turn // len(self._all) % 2 else _INACTIVE
        field = "xml" if flags == 0 else "inactive_xml"
        try:
            xml = asked("", dom.XMLDesc, flags)
        except NotFound:
            xml = ""
        if facts is not None and (facts.persistent or flags == 0):
            self._wake_unless(uuid, field, xml)

    def _autostart(self) -> None:
        flag = libvirt.VIR_CONNECT_LIST_DOMAINS_AUTOSTART
        autostart = {dom.UUID() for dom in self._listed(flag)}
        for uuid in list(self._picture.facts):
            self._wake_unless(uuid, "autostart", uuid.bytes in autostart)

    def _existence(self) -> None:
        self._all = self._listed(0)
        self._picture.compare({UUID(bytes=dom.UUID()) for dom in self._all})

    def _wake_unless(self, uuid: UUID, name: str, value: object) -> None:
        """Have a domain looked at if its facts say something else."""
        facts = self._picture.facts.get(uuid)
        if facts is not None and getattr(facts, name) != value:
            self._picture.wake(uuid)

    def _listed(self, flag: int) -> list[libvirt.virDomain]:
        found: list[libvirt.virDomain] = asked([], self._conn.listAllDomains, flag)
        return found
