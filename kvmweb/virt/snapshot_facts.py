"""The snapshots of a domain as its host says them; whatever libvirt accepts can be read."""

from datetime import UTC, datetime

import libvirt

from kvmweb.errors import HostUnreachable, Invalid, NotFound
from kvmweb.virt.errors import explain
from kvmweb.virt.snapshot_types import SnapshotDiskFacts, SnapshotFacts
from kvmweb.virt.xml.devices import Disk
from kvmweb.virt.xml.document import INT64_MAX
from kvmweb.virt.xml.domain import Domain
from kvmweb.virt.xml.snapshot import Snapshot

MOST = 500  # that are read of one domain; nobody finds their way among more
_YEAR_9999_S = 253402300799
_KEPT = {"internal", "external"}


def listed(dom: libvirt.virDomain) -> tuple[SnapshotFacts, ...]:
    """All snapshots of the domain, the oldest first; those that can be read.

    Raises HostUnreachable when the connection broke, NotFound when the domain went.
    """
    try:
        found = dom.listAllSnapshots(0)[:MOST]
        current = dom.snapshotCurrent(0).getName() if _has_current(dom) else ""
    except libvirt.libvirtError as error:
        _need_connection(error)
        return ()
    except ValueError:  # the binding met a name that is not UTF-8
        return ()
    facts = filter(None, (_facts(each, current) for each in found))
    return tuple(sorted(facts, key=_age))


def facts_of(document: Snapshot, *, current: bool) -> SnapshotFacts:
    """What a snapshot's document says."""
    before = document.domain or Domain.make()
    bases = {disk.target: disk for disk in before.disks}
    disks = tuple(
        SnapshotDiskFacts(
            target=disk.name,
            kind=disk.snapshot,
            base=_place(bases.get(disk.name)),
            base_format=bases[disk.name].format if disk.name in bases else "",
            overlay=(disk.file or disk.dev) if disk.snapshot == "external" else "",
        )
        for disk in document.disks
    )
    kinds = {disk.kind for disk in disks} & _KEPT
    if document.memory in _KEPT:
        kinds.add(document.memory)
    return SnapshotFacts(
        name=document.name,
        parent=document.parent,
        current=current,
        created_at=_moment(document.created_s),
        state=document.state,
        description=document.description,
        kind="mixed" if len(kinds) > 1 else next(iter(kinds), "internal"),
        memory=document.memory in _KEPT,
        memory_path=document.memory_file if document.memory == "external" else "",
        disks=disks,
    )


def _facts(snapshot: libvirt.virDomainSnapshot, current: str) -> SnapshotFacts | None:
    """One snapshot; None when it went while we looked, or cannot be read."""
    try:
        document = Snapshot.parse(snapshot.getXMLDesc(0), recover=True)
    except libvirt.libvirtError as error:
        _need_connection(error)
        return None
    except (Invalid, ValueError):
        return None
    return facts_of(document, current=document.name == current)


def _has_current(dom: libvirt.virDomain) -> bool:
    return bool(dom.hasCurrentSnapshot(0))


def _need_connection(error: libvirt.libvirtError) -> None:
    reason = explain(error, "read the snapshots of the guest")
    if isinstance(reason, HostUnreachable):
        raise reason from error
    if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
        raise NotFound("The host does not know this guest any more.") from error


def _place(disk: Disk | None) -> str:
    if disk is None:
        return ""
    if disk.pool and disk.volume:
        return f"{disk.pool}/{disk.volume}"
    return disk.file or disk.dev or disk.dir


def _moment(seconds: int | None) -> datetime | None:
    if seconds is None or not 0 < seconds <= min(_YEAR_9999_S, INT64_MAX):
        return None
    return datetime.fromtimestamp(seconds, UTC)


def _age(facts: SnapshotFacts) -> tuple[float, str]:
    return (facts.created_at.timestamp() if facts.created_at else 0, facts.name)
