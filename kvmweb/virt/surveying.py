"""Everything about a domain's disks that decides what its snapshots may do."""

import posixpath
from collections.abc import Iterator
from uuid import UUID

import libvirt

from kvmweb.errors import HostError
from kvmweb.virt import snapshot_facts, storage
from kvmweb.virt.connection import CHANGE_S, verb
from kvmweb.virt.domains import domain_of
from kvmweb.virt.errors import explaining
from kvmweb.virt.facts import firmware_of, state_of
from kvmweb.virt.snapshot_types import Folder, Survey, SurveyDisk
from kvmweb.virt.xml.devices import Disk
from kvmweb.virt.xml.domain import AGENT, OS
from kvmweb.virt.xml.snapshot import ChainedDomain
from kvmweb.virt.xml.storage import Pool

_FOLDERS = {"dir", "fs", "netfs"}
_DEEPEST = 200  # files below each other; QEMU gives up long before
_ACTIVE_POOLS = libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE


@verb(deadline_s=CHANGE_S)
def survey(conn: libvirt.virConnect, uuid: UUID) -> Survey:
    """All that decides how its snapshots are made, gone back to and deleted."""
    with domain_of(conn, uuid, "look at the disks of {}") as domain:
        active = bool(domain.isActive())
        document = ChainedDomain.parse(domain.XMLDesc(0))
        state, _ = state_of(*domain.state())
        agent = [each.state for each in document.channels if each.name == AGENT]
        return Survey(
            name=str(domain.name()),
            state=state.value,
            persistent=bool(domain.isPersistent()),
            managed_save=bool(_saved(domain)),
            virt_type=document.type,
            firmware=firmware_of(document.os or OS.make()),
            agent="connected" in agent,
            libvirt_version=int(conn.getLibVersion()),
            disks=tuple(_disks(conn, document, active=active)),
            folders=tuple(_folders(conn)),
            snapshots=snapshot_facts.listed(domain),
        )


def chains(
    conn: libvirt.virConnect, domain: libvirt.virDomain
) -> dict[str, tuple[str, ...]]:
    """By target: the paths of all layers of a disk, the one written to first."""
    document = ChainedDomain.parse(domain.XMLDesc(0))
    found = _disks(conn, document, active=bool(domain.isActive()))
    return {disk.target: disk.chain for disk in found}


@verb(deadline_s=CHANGE_S)
def exists(conn: libvirt.virConnect, path: str) -> bool:
    """Whether a pool of the host holds this file, looked for anew."""
    refresh(conn, [path])
    return storage.volume_at(conn, path) is not None


def standing_on(conn: libvirt.virConnect, path: str) -> list[str]:
    """The paths of the volumes whose backing file this is.

    Raises HostError when a pool cannot be read: then nobody can say.
    """
    found = []
    for pool in storage.look(conn):
        if pool.problem:
            raise HostError(
                f"Nobody can say what stands on {path}: {pool.problem}",
                hint=f"See what is wrong with the pool {pool.name}.",
            )
        for volume in pool.volumes:
            if volume.backing_path and _same(volume.backing_path, path):
                found.append(volume.path)
    return sorted(set(found))


def refresh(conn: libvirt.virConnect, paths: list[str]) -> None:
    """Have the host look again at the pools that hold these paths."""
    folders = {posixpath.dirname(path) for path in paths if path}
    for pool in conn.listAllStoragePools(_ACTIVE_POOLS):
        if posixpath.normpath(Pool.parse(pool.XMLDesc(0)).target) in folders:
            try:
                pool.refresh(0)
            except libvirt.libvirtError:
                continue  # busy with another volume; the next look finds it


def _disks(
    conn: libvirt.virConnect, document: ChainedDomain, *, active: bool
) -> Iterator[SurveyDisk]:
    for disk in document.chained:
        path = path_of(conn, disk)
        volume = storage.volume_at(conn, path) if path else None
        chain = tuple(disk.chain()) if active else tuple(_below(conn, path))
        yield SurveyDisk(
            target=disk.target,
            device=disk.device or "disk",
            kind=disk.type,
            format=disk.format,
            writable=not (disk.readonly or disk.shareable),
            path=path,
            capacity_bytes=int(volume.info()[1]) if volume is not None else 0,
            chain=chain,
        )


def _below(conn: libvirt.virConnect, path: str) -> list[str]:
    """A volume's path and those it stands on, as the pools know them."""
    chain: list[str] = []
    while path and path not in chain and len(chain) < _DEEPEST:
        chain.append(path)
        volume = storage.volume_at(conn, path)
        path = storage.facts_of(volume).backing_path if volume is not None else ""
    return chain


def path_of(conn: libvirt.virConnect, disk: Disk) -> str:
    """The file or device that a disk is; "" when it is none of the host."""
    if not (disk.pool and disk.volume):
        return disk.file or disk.dev
    with explaining(f"find the volume {disk.volume} of {disk.pool}"):
        pool = conn.storagePoolLookupByName(disk.pool)
        return str(pool.storageVolLookupByName(disk.volume).path())


def _folders(conn: libvirt.virConnect) -> Iterator[Folder]:
    for pool in conn.listAllStoragePools(_ACTIVE_POOLS):
        document = Pool.parse(pool.XMLDesc(0))
        if document.type in _FOLDERS and document.target:
            yield Folder(
                pool=UUID(bytes=pool.UUID()),
                path=posixpath.normpath(document.target),
                available_bytes=document.available or 0,
            )


def _saved(domain: libvirt.virDomain) -> int:
    try:
        return int(domain.hasManagedSaveImage(0))
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_SUPPORT:
            return 0
        raise


def _same(path: str, other: str) -> bool:
    return posixpath.normpath(path) == posixpath.normpath(other)
