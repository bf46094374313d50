"""Verbs about the snapshots of one domain: looked at, made, gone back to by libvirt.

Deleting them stands in `merging`, going back where libvirt cannot in `reverting`.
"""

import time
from uuid import UUID

import libvirt

from kvmweb.errors import Conflict, NotFound
from kvmweb.virt import snapshot_facts, storage
from kvmweb.virt.connection import CHANGE_S, READ_S, verb
from kvmweb.virt.domains import domain_of
from kvmweb.virt.facts import state_of
from kvmweb.virt.snapshot_types import SnapshotFacts, Wanted
from kvmweb.virt.surveying import chains, path_of, refresh, standing_on
from kvmweb.virt.types import DomainState
from kvmweb.virt.xml.domain import Domain
from kvmweb.virt.xml.snapshot import ChainedDomain, Snapshot, SnapshotDisk
from kvmweb.virt.xml.storage import Volume

LONGEST_S = 6 * 3600.0  # a terabyte of memory at 50 MiB a second
REVERTS_EXTERNAL = 9_009_000  # libvirt's version that can
_SECURE = libvirt.VIR_DOMAIN_SNAPSHOT_XML_SECURE


@verb(deadline_s=READ_S)
def look(conn: libvirt.virConnect, uuid: UUID) -> tuple[SnapshotFacts, ...]:
    """All snapshots of the domain, the oldest first."""
    with domain_of(conn, uuid, "read the snapshots of {}") as domain:
        return snapshot_facts.listed(domain)


@verb(deadline_s=LONGEST_S)
def create(conn: libvirt.virConnect, uuid: UUID, wanted: Wanted) -> None:
    """Make a snapshot.

    Raises Conflict when there is one of this name, HostError when it cannot be made:
    then nothing of it stays, but see `thaw`.
    """
    document = _document(wanted)
    with domain_of(conn, uuid, f"make the snapshot {wanted.name} of {{}}") as domain:
        if wanted.name in domain.snapshotListNames(0):
            raise Conflict(f"{domain.name()} has a snapshot {wanted.name} already.")
        flags = _flags(wanted, state_of(*domain.state())[0])
        domain.snapshotCreateXML(str(document), flags)
    refresh(conn, [path for _, path in wanted.overlays] + [wanted.memory_path])


@verb(deadline_s=CHANGE_S)
def thaw(conn: libvirt.virConnect, uuid: UUID) -> None:
    """Let a guest write again that its agent may have been told to freeze."""
    with domain_of(conn, uuid, "thaw {}") as domain:
        domain.fsThaw()


@verb(deadline_s=LONGEST_S)
def revert(conn: libvirt.virConnect, uuid: UUID, name: str) -> None:
    """Have libvirt go back to the snapshot: internal ones, and what newer ones can.

    Raises Conflict when something stands on the disks as they are now.
    """
    with domain_of(conn, uuid, f"go back to {name} of {{}}") as domain:
        facts = named(domain, name)
        if facts.kind != "external":
            need_top(conn, domain, facts)
        snapshot = domain.snapshotLookupByName(name, 0)
        try:
            domain.revertToSnapshot(snapshot, 0)
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_SNAPSHOT_REVERT_RISKY:
                raise
            # Its QEMU must be another one, which loses no more than going back does.
            domain.revertToSnapshot(snapshot, libvirt.VIR_DOMAIN_SNAPSHOT_REVERT_FORCE)


@verb(deadline_s=CHANGE_S)
def adopt(conn: libvirt.virConnect, uuid: UUID, wanted: Wanted) -> None:
    """Write a record anew that libvirt lost: the guest stands on the new files already."""
    with domain_of(conn, uuid, f"record {wanted.name} of {{}}") as domain:
        flags = libvirt.VIR_DOMAIN_XML_SECURE
        if not wanted.memory:
            flags |= libvirt.VIR_DOMAIN_XML_INACTIVE
        layers = chains(conn, domain)
        document = ChainedDomain.parse(domain.XMLDesc(flags))
        overlays = dict(wanted.overlays)
        for disk in document.chained:
            if disk.target in overlays:
                disk.type, disk.file = "file", layers[disk.target][1]
                disk.format = _format_below(conn, overlays[disk.target])
                disk.below = None
        told = _document(wanted)
        told.created_s, told.domain = int(time.time()), document
        if wanted.memory:
            told.state = "running"
        else:
            told.state = "disk-snapshot" if domain.isActive() else "shutoff"
            told.memory = "no"
        flags = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE
        flags |= libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_CURRENT
        domain.snapshotCreateXML(str(told), flags)


def _format_below(conn: libvirt.virConnect, path: str) -> str:
    refresh(conn, [path])
    volume = storage.volume_at(conn, path)
    told = Volume.parse(volume.XMLDesc(0)) if volume is not None else Volume.make()
    return told.backing_format or "raw"


@verb(deadline_s=LONGEST_S)
def clear(conn: libvirt.virConnect, uuid: UUID, wanted: Wanted) -> None:
    """Take away what an interrupted internal snapshot may have left inside its disks.

    libvirt deletes only what it knows: so it is told of it first.
    """
    with domain_of(conn, uuid, f"clear away {wanted.name} of {{}}") as domain:
        names = {each.name for each in snapshot_facts.listed(domain)}
        if wanted.name in names:
            return
        document = Domain.parse(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
        told = Snapshot.make(name=wanted.name, created_s=1)
        told.state = "running" if wanted.memory else "shutoff"
        told.memory = "internal" if wanted.memory else "no"
        for disk in document.disks:
            kept = "no" if disk.target in wanted.left_out else "internal"
            told.disks.add(SnapshotDisk.make(name=disk.target, snapshot=kept))
        told.domain = document
        domain.snapshotCreateXML(
            str(told), libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE
        ).delete(0)


def _document(wanted: Wanted) -> Snapshot:
    """What libvirt makes the snapshot of."""
    document = Snapshot.make(name=wanted.name)
    if wanted.description:
        document.description = wanted.description
    if not wanted.external:
        return document
    if wanted.memory:
        document.memory, document.memory_file = "external", wanted.memory_path
    for target, path in wanted.overlays:
        document.disks.add(
            SnapshotDisk.make(
                name=target, snapshot="external", format="qcow2", file=path
            )
        )
    for target in wanted.left_out:
        document.disks.add(SnapshotDisk.make(name=target, snapshot="no"))
    return document


def _flags(wanted: Wanted, state: DomainState) -> int:
    flags = 0
    if wanted.external and wanted.overlays:
        flags |= libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_ATOMIC
    if wanted.external and not wanted.memory:
        flags |= libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY
    if wanted.external and wanted.memory and state == DomainState.RUNNING:
        flags |= libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_LIVE
    if wanted.quiesce:
        flags |= libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_QUIESCE
    return int(flags)


def named(domain: libvirt.virDomain, name: str) -> SnapshotFacts:
    """This snapshot of the domain. Raises NotFound."""
    for facts in snapshot_facts.listed(domain):
        if facts.name == name:
            return facts
    raise NotFound(f"{domain.name()} has no snapshot {name}.")


def need_top(
    conn: libvirt.virConnect, domain: libvirt.virDomain, facts: SnapshotFacts
) -> None:
    """Nothing. Raises Conflict when a disk that holds it is no longer the topmost."""
    document = Domain.parse(domain.XMLDesc(0))
    now = {disk.target: path_of(conn, disk) for disk in document.disks}
    for disk in facts.disks:
        if disk.kind != "internal" or disk.target not in now:
            continue
        path = now[disk.target]
        if path != disk.base and "/" in disk.base[:1]:
            raise Conflict(
                f"{facts.name} lies inside {disk.base}, on which {domain.name()} stands "
                "by now: later snapshots keep their own files.",
                hint="Delete the later snapshots first.",
            )
        if above := standing_on(conn, path):
            raise Conflict(
                f"{facts.name} lies inside {path}, and {several(above)} on it: it "
                "would be destroyed.",
                hint="Delete what stands on it first.",
            )


def redefine(
    domain: libvirt.virDomain, name: str, overlays: dict[str, str], *, current: bool
) -> None:
    """Have the snapshot name these files as those on top, by target."""
    snapshot = domain.snapshotLookupByName(name, 0)
    document = Snapshot.parse(snapshot.getXMLDesc(_SECURE))
    for disk in document.disks:
        if disk.name in overlays:
            disk.file = overlays[disk.name]
    flags = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE
    if current:
        flags |= libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_CURRENT
    domain.snapshotCreateXML(str(document), flags)


def several(names: list[str]) -> str:
    """These as the subject of a sentence: "a stands", "a, b stand"."""
    return f"{', '.join(names)} {'stand' if names[1:] else 'stands'}"
