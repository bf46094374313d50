"""Going back to an external snapshot where libvirt cannot (before 9.9), step by step.

Nothing is overwritten: the guest gets new files on top of what the snapshot kept. What
it wrote since stays where it is until somebody deletes it.
"""

from uuid import UUID

import libvirt

from kvmweb.errors import Conflict, HostError
from kvmweb.virt.connection import CHANGE_S, READ_S, verb
from kvmweb.virt.domains import domain_of
from kvmweb.virt.errors import explaining
from kvmweb.virt.snapshots import LONGEST_S, redefine
from kvmweb.virt.surveying import refresh
from kvmweb.virt.xml.domain import Domain, check_ranges
from kvmweb.virt.xml.snapshot import ChainedDomain, Snapshot

Paths = tuple[tuple[str, str], ...]  # (target, path) of the new files
_SECURE = libvirt.VIR_DOMAIN_SNAPSHOT_XML_SECURE


@verb(deadline_s=CHANGE_S)
def point(conn: libvirt.virConnect, uuid: UUID, name: str, paths: Paths) -> None:
    """Define the guest as it was then, its disks on the new files.

    The guest is off. Memory saved of it is thrown away: it fits other disks.
    """
    with domain_of(conn, uuid, f"go back to {name} of {{}}") as domain:
        if domain.isActive():
            raise Conflict(f"{domain.name()} runs: its disks cannot be exchanged.")
        kept = _read(domain, name).defined()
        document = _pointed(domain, name, kept, paths)
        check_ranges(document)
        if domain.hasManagedSaveImage(0):
            domain.managedSaveRemove(0)
        conn.defineXML(str(document))


@verb(deadline_s=LONGEST_S)
def restore(conn: libvirt.virConnect, uuid: UUID, name: str, paths: Paths) -> None:
    """Let the guest go on from the memory that the snapshot kept, on the new files."""
    with domain_of(conn, uuid, f"go back to {name} of {{}}") as domain:
        snapshot = _read(domain, name)
        document = _pointed(domain, name, snapshot.ran(), paths)
        flags = {
            "running": libvirt.VIR_DOMAIN_SAVE_RUNNING,
            "paused": libvirt.VIR_DOMAIN_SAVE_PAUSED,
        }.get(snapshot.state, 0)
        conn.restoreFlags(snapshot.memory_file, str(document), flags)


@verb(deadline_s=CHANGE_S)
def settle(conn: libvirt.virConnect, uuid: UUID, name: str, paths: Paths) -> None:
    """Say that the guest goes on from this snapshot, on the new files."""
    with domain_of(conn, uuid, f"go back to {name} of {{}}") as domain:
        redefine(domain, name, dict(paths), current=True)
    refresh(conn, [path for _, path in paths])


@verb(deadline_s=READ_S)
def document_of(conn: libvirt.virConnect, uuid: UUID) -> str:
    """What the guest will start with next, to have it back; with its passwords."""
    with domain_of(conn, uuid, "read the document of {}") as domain:
        flags = libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE
        return str(domain.XMLDesc(flags))


def _read(domain: libvirt.virDomain, name: str) -> Snapshot:
    with explaining(f"read the snapshot {name} of {domain.name()}"):
        return Snapshot.parse(domain.snapshotLookupByName(name, 0).getXMLDesc(_SECURE))


def _pointed(
    domain: libvirt.virDomain, name: str, kept: Domain | None, paths: Paths
) -> Domain:
    """The document with its disks on the new files."""
    if kept is None:
        raise HostError(
            f"The snapshot {name} of {domain.name()} does not say what the guest was."
        )
    document = ChainedDomain(kept.element)
    wanted = dict(paths)
    for disk in document.chained:
        if disk.target not in wanted:
            continue
        disk.pool = disk.volume = disk.dev = None
        disk.type, disk.file = "file", wanted.pop(disk.target)
        disk.format, disk.below = "qcow2", None
    if wanted:
        raise HostError(
            f"The snapshot {name} does not say how {', '.join(wanted)} was."
        )
    return document
