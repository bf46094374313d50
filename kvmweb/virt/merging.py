"""Deleting snapshots: what they kept apart is merged, and never under another's feet.

libvirt 9.0 merges external snapshots, but does not look who else stands on the file: it
destroys the other branches. So that is looked at here, first.
"""

from uuid import UUID

import libvirt

from kvmweb.errors import Conflict, Unsupported
from kvmweb.virt import snapshot_facts
from kvmweb.virt.connection import verb
from kvmweb.virt.domains import domain_of
from kvmweb.virt.snapshot_types import SnapshotFacts
from kvmweb.virt.snapshots import LONGEST_S, named, need_top, redefine, several
from kvmweb.virt.surveying import chains, refresh, standing_on

DELETES_EXTERNAL = 9_000_000  # libvirt's version that can


@verb(deadline_s=LONGEST_S)
def delete(
    conn: libvirt.virConnect, uuid: UUID, name: str, *, ignoring: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """Delete the snapshot; what it kept apart is merged into what comes after it.

    A guest that is off is started without a single instruction run, for only QEMU can
    merge. The paths that libvirt leaves behind and nobody needs any more come back. What
    stands on its files and is named in `ignoring` is of no use afterwards.
    Raises NotFound, Unsupported, Conflict when another branch needs what it kept.
    """
    with domain_of(conn, uuid, f"delete the snapshot {name} of {{}}") as domain:
        facts = named(domain, name)
        snapshot = domain.snapshotLookupByName(name, 0)
        if facts.kind == "internal":
            need_top(conn, domain, facts)
            snapshot.delete(0)
            return ()
        left = (facts.memory_path,) if facts.memory_path else ()
        if not facts.overlays:  # memory alone
            snapshot.delete(libvirt.VIR_DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY)
            return left
        if not _in_use(conn, domain, facts):
            return left + _delete_branch(conn, domain, facts, ignoring)
        _merge(conn, domain, facts, ignoring)
    refresh(conn, [disk.base for disk in facts.disks])
    return left


def _in_use(
    conn: libvirt.virConnect, domain: libvirt.virDomain, facts: SnapshotFacts
) -> bool:
    """Whether the domain's disks stand on what the snapshot keeps."""
    layers = chains(conn, domain)
    return any(disk.base in layers.get(disk.target, ()) for disk in facts.disks)


def _delete_branch(
    conn: libvirt.virConnect,
    domain: libvirt.virDomain,
    facts: SnapshotFacts,
    ignoring: tuple[str, ...],
) -> tuple[str, ...]:
    """Forget a last one of another branch; the files that only it needed."""
    others = [s for s in snapshot_facts.listed(domain) if s.name != facts.name]
    if after := [each.name for each in others if each.parent == facts.name]:
        raise Conflict(
            f"{facts.name} is on another branch than {domain.name()} is now, and "
            f"{', '.join(after)} came after it.",
            hint=f"Delete {after[-1]} first, or go back to it.",
        )
    needed = {disk.base for each in others for disk in each.disks}
    for chain in chains(conn, domain).values():
        needed |= set(chain)
    snapshot = domain.snapshotLookupByName(facts.name, 0)
    snapshot.delete(libvirt.VIR_DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY)
    kept = [disk.base for disk in facts.disks if disk.overlay]
    return tuple(
        base
        for base in kept
        if base not in needed and set(standing_on(conn, base)) <= set(ignoring)
    )


def _merge(
    conn: libvirt.virConnect,
    domain: libvirt.virDomain,
    facts: SnapshotFacts,
    ignoring: tuple[str, ...],
) -> None:
    """Have libvirt merge its files into those below, and forget it."""
    if conn.getLibVersion() < DELETES_EXTERNAL:
        raise Unsupported(
            "This host's libvirt is older than 9.0 and cannot merge the files of "
            "a snapshot.",
            hint="Update libvirt there, or merge them by hand.",
        )
    _need_alone(conn, domain, facts, ignoring)
    begun = not domain.isActive()
    if begun:
        if domain.hasManagedSaveImage(0):
            raise Conflict(
                f"{domain.name()} was saved while it ran; that must not be mixed up.",
                hint="Start it first, then delete the snapshot.",
            )
        # It ends with this connection, whatever becomes of us.
        domain.createWithFlags(
            libvirt.VIR_DOMAIN_START_PAUSED | libvirt.VIR_DOMAIN_START_AUTODESTROY
        )
    try:
        _align(conn, domain, facts)
        domain.snapshotLookupByName(facts.name, 0).delete(0)
    finally:
        if begun:
            domain.destroy()


def _need_alone(
    conn: libvirt.virConnect,
    domain: libvirt.virDomain,
    facts: SnapshotFacts,
    ignoring: tuple[str, ...],
) -> None:
    """Nothing. Raises Conflict when more than this domain's disk stands on a file.

    libvirt 9.0 would merge into that file and destroy what else stands on it.
    """
    layers = chains(conn, domain)
    refresh(conn, [disk.base for disk in facts.disks])
    for disk in facts.disks:
        chain = layers.get(disk.target, ())
        if disk.overlay and disk.base in chain[1:]:
            # What lies on top is merged into it, and is then no more.
            top = chain[chain.index(disk.base) - 1]
            for path in (disk.base, top):
                _need_none_on(conn, domain, facts.name, path, {*chain, *ignoring})


def _need_none_on(
    conn: libvirt.virConnect,
    domain: libvirt.virDomain,
    name: str,
    path: str,
    known: set[str],
) -> None:
    others = [each for each in standing_on(conn, path) if each not in known]
    if others:
        needing = _needing(domain, others) or several(others)
        raise Conflict(
            f"{name} cannot be merged away: {needing} on {path}, too.",
            hint="Delete what else stands on it first.",
        )


def _needing(domain: libvirt.virDomain, paths: list[str]) -> str:
    names = [
        facts.name
        for facts in snapshot_facts.listed(domain)
        if any(disk.base in paths for disk in facts.disks)
    ]
    if not names:
        return ""
    return f"the snapshot{'s' if names[1:] else ''} {several(names)}"


def _align(
    conn: libvirt.virConnect, domain: libvirt.virDomain, facts: SnapshotFacts
) -> None:
    """Have the snapshot name the files that lie on top of its own now.

    They are others after somebody went back to another snapshot and here again.
    """
    layers = chains(conn, domain)
    above = {}
    for disk in facts.disks:
        chain = layers.get(disk.target, ())
        if disk.overlay and disk.base in chain[1:]:
            above[disk.target] = chain[chain.index(disk.base) - 1]
    if all(
        above.get(disk.target, disk.overlay) == disk.overlay for disk in facts.disks
    ):
        return
    redefine(domain, facts.name, above, current=facts.current)
