"""What of a guest goes along on a move: its documents, its disks, its snapshots' records.

libvirt migrates nobody who has snapshots: so their records are taken off before and put
on again afterwards, wherever the guest is then. Their data lies in the disks.
"""

from dataclasses import dataclass
from uuid import UUID

import libvirt

from kvmweb.virt.connection import CHANGE_S, READ_S, verb
from kvmweb.virt.domains import domain_of
from kvmweb.virt.surveying import chains, path_of
from kvmweb.virt.xml.domain import Domain

_LIVE = libvirt.VIR_DOMAIN_XML_SECURE | libvirt.VIR_DOMAIN_XML_MIGRATABLE
_KEPT = libvirt.VIR_DOMAIN_XML_SECURE | libvirt.VIR_DOMAIN_XML_INACTIVE
_TOPOLOGICAL = libvirt.VIR_DOMAIN_SNAPSHOT_LIST_TOPOLOGICAL
_DATA = frozenset({"", "disk", "lun"})


@dataclass(frozen=True, slots=True)
class DiskHere:
    """A disk with content of its own, as it lies on its host."""

    target: str
    path: str
    format: str
    capacity_bytes: int
    stands: bool  # on another file, which its copy does not


@dataclass(frozen=True, slots=True)
class Luggage:
    """Everything that is needed to have the guest on another host."""

    xml: str  # as it runs; "": it does not
    inactive_xml: str  # as it starts next; "": it is transient
    disks: tuple[DiskHere, ...]
    nvram: str  # the file with its UEFI settings; "": none
    tpm: bool  # it keeps a TPM's state on its host


@dataclass(frozen=True, slots=True)
class SnapshotRecord:
    """One snapshot's record; `current`: the guest goes on from it."""

    name: str
    xml: str
    current: bool


@verb(deadline_s=CHANGE_S)
def pack(conn: libvirt.virConnect, uuid: UUID) -> Luggage:
    """What goes along, with passwords."""
    with domain_of(conn, uuid, "read the document of {}") as domain:
        active = bool(domain.isActive())
        xml = str(domain.XMLDesc(_LIVE)) if active else ""
        kept = str(domain.XMLDesc(_KEPT)) if domain.isPersistent() else ""
        document = Domain.parse(xml or kept)
        return Luggage(
            xml=xml,
            inactive_xml=kept,
            disks=tuple(_disks(conn, domain, document)),
            nvram=document.os.nvram if document.os else "",
            tpm=any(True for _ in document.tpms),
        )


@verb(deadline_s=READ_S)
def records(conn: libvirt.virConnect, uuid: UUID) -> tuple[SnapshotRecord, ...]:
    """The records of its snapshots, those that others stand on first."""
    with domain_of(conn, uuid, "read the snapshots of {}") as domain:
        found = domain.listAllSnapshots(_TOPOLOGICAL)
        secure = libvirt.VIR_DOMAIN_SNAPSHOT_XML_SECURE
        return tuple(
            SnapshotRecord(
                each.getName(), str(each.getXMLDesc(secure)), bool(each.isCurrent())
            )
            for each in found
        )


@verb(deadline_s=CHANGE_S)
def take_off(conn: libvirt.virConnect, uuid: UUID) -> None:
    """Forget the records of its snapshots; what they kept stays where it is."""
    with domain_of(conn, uuid, "lay the snapshots of {} aside") as domain:
        for each in reversed(domain.listAllSnapshots(_TOPOLOGICAL)):
            each.delete(libvirt.VIR_DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY)


@verb(deadline_s=CHANGE_S)
def put_on(
    conn: libvirt.virConnect, uuid: UUID, kept: tuple[SnapshotRecord, ...]
) -> None:
    """Record the snapshots again, those that are missing."""
    with domain_of(conn, uuid, "record the snapshots of {} again") as domain:
        there = set(domain.snapshotListNames(0))
        for each in kept:
            if each.name in there and not each.current:
                continue
            flags = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE
            if each.current:
                flags |= libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_CURRENT
            domain.snapshotCreateXML(each.xml, flags)


@verb(deadline_s=CHANGE_S)
def settle_in(
    conn: libvirt.virConnect,
    uuid: UUID,
    *,
    autostart: bool,
    kept: tuple[SnapshotRecord, ...],
) -> None:
    """What libvirt does not carry: that it starts with its host, and its snapshots."""
    with domain_of(conn, uuid, "bring the rest of {} along") as domain:
        if autostart and domain.isPersistent() and not domain.autostart():
            domain.setAutostart(1)
    if kept:
        put_on(conn, uuid, kept)


def _disks(
    conn: libvirt.virConnect, domain: libvirt.virDomain, document: Domain
) -> list[DiskHere]:
    layers = chains(conn, domain)
    found = []
    for disk in document.disks:
        if disk.device not in _DATA or disk.readonly:
            continue
        path = path_of(conn, disk)
        if not path.startswith("/"):
            continue  # a network's: the same for every host
        capacity, _, _ = domain.blockInfo(disk.target)
        found.append(
            DiskHere(
                target=disk.target,
                path=path,
                format=disk.format or "raw",
                capacity_bytes=int(capacity),
                stands=len(layers.get(disk.target, ())) > 1,
            )
        )
    return found
