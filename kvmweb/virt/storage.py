"""Storage pools and volumes of a host, tolerant of odd ones."""

from uuid import UUID

import libvirt

from kvmweb.errors import AppError, Conflict, Invalid, NotFound
from kvmweb.virt import usage
from kvmweb.virt.connection import CHANGE_S, READ_S, verb
from kvmweb.virt.errors import explain, explaining, problem_of
from kvmweb.virt.types import PoolFacts, VolumeFacts, VolumeUser
from kvmweb.virt.xml.document import INT64_MAX
from kvmweb.virt.xml.storage import Pool, Volume


@verb(deadline_s=READ_S)
def look(conn: libvirt.virConnect) -> tuple[PoolFacts, ...]:
    """All pools with the volumes of the active ones, by name."""
    try:
        pools = conn.listAllStoragePools(0)
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_SUPPORT:
            return ()
        raise explain(error, "list the storage pools") from error
    facts = (_facts(each) for each in pools)
    return tuple(sorted(filter(None, facts), key=lambda each: each.name))


@verb(deadline_s=READ_S)
def look_volume(conn: libvirt.virConnect, path: str) -> VolumeFacts | None:
    """The volume at this path, in whichever pool; None when no pool knows one."""
    volume = volume_at(conn, path)
    if volume is None:
        return None
    with explaining(f"read the volume {path}"):
        return facts_of(volume)


@verb(deadline_s=CHANGE_S)
def refresh_pool(conn: libvirt.virConnect, uuid: UUID) -> None:
    """Have the host look again at what is in the pool."""
    with explaining(f"find the pool {uuid}"):
        pool = conn.storagePoolLookupByUUIDString(str(uuid))
    with explaining(f"refresh the pool {pool.name()}"):
        pool.refresh(0)


@verb(deadline_s=CHANGE_S)
def users_of(
    conn: libvirt.virConnect, paths: tuple[str, ...]
) -> dict[str, tuple[VolumeUser, ...]]:
    """Which domains of this host use these volumes, by path.

    As a disk or anything else in what runs, what is defined, snapshots and saved
    states, and below any of these as a backing file. Raises HostError when one domain
    cannot be read: then nobody can say that a volume is free.
    """
    return usage.users_of(conn, paths)


@verb(deadline_s=CHANGE_S)
def standing_on(conn: libvirt.virConnect, paths: tuple[str, ...]) -> dict[str, str]:
    """For each of these that another volume stands on: one that does, by path."""
    return usage.volumes_above(conn, paths)


@verb(deadline_s=CHANGE_S)
def delete_volume(
    conn: libvirt.virConnect, path: str, *, owner: UUID | None = None
) -> None:
    """Delete the volume at this path, for ever.

    Raises NotFound; Conflict when a domain uses it (`owner`'s own may, while it does
    not run) or another volume stands on it.
    """
    volume = volume_at(conn, path)
    if volume is None:
        raise NotFound(f"No pool of this host has a volume {path}.")
    with explaining(f"look again at the pool of {path}"):  # for overlays made elsewhere
        volume.storagePoolLookupByVolume().refresh(0)
    for user in usage.users_of(conn, (path,))[path]:
        if user.uuid != owner or user.active:
            raise Conflict(f"Could not delete {path}: {user.name} uses it.")
    if above := usage.volume_above(conn, path):
        raise Conflict(f"Could not delete {path}: the volume {above} stands on it.")
    with explaining(f"delete {path}"):
        pool = volume.storagePoolLookupByVolume()
        volume.delete(0)
    settle(pool)


def settle(pool: libvirt.virStoragePool) -> None:
    """Have the host look at its pool again, which also wakes whoever watches it.

    It refuses while anything is being made in there; then the next look finds it.
    """
    try:
        pool.refresh(0)
    except libvirt.libvirtError as error:
        code = error.get_error_code()
        if code in {libvirt.VIR_ERR_INTERNAL_ERROR, libvirt.VIR_ERR_OPERATION_INVALID}:
            return
        raise explain(error, "look into the pool again") from error


def volume_at(conn: libvirt.virConnect, path: str) -> libvirt.virStorageVol | None:
    """The volume as libvirt hands it out; None when no active pool knows one."""
    try:
        return conn.storageVolLookupByPath(path)
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_STORAGE_VOL:
            return None
        raise explain(error, f"find the volume {path}") from error


def _facts(pool: libvirt.virStoragePool) -> PoolFacts | None:
    """One pool; None when it went while we looked."""
    document, problem = Pool.make(), ""
    active = autostart = persistent = False
    volumes: tuple[VolumeFacts, ...] = ()
    try:
        active = bool(pool.isActive())
        persistent = bool(pool.isPersistent())
        autostart = bool(pool.autostart())
        document = Pool.parse(pool.XMLDesc(0))
        volumes, problem = _volumes(pool) if active else ((), "")
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_STORAGE_POOL:
            return None
        problem = problem_of(error, f"read the pool {pool.name()}")
    except Invalid as error:
        problem = error.detail
    return PoolFacts(
        uuid=UUID(bytes=pool.UUID()),
        name=str(pool.name()),
        type=document.type,
        active=active,
        autostart=autostart,
        persistent=persistent,
        target=document.target,
        capacity_bytes=_amount(document.capacity),
        allocation_bytes=_amount(document.allocation),
        available_bytes=_amount(document.available),
        volumes=volumes,
        problem=problem,
    )


def _volumes(pool: libvirt.virStoragePool) -> tuple[tuple[VolumeFacts, ...], str]:
    """What could be read, by name, and the first thing that could not."""
    found, problem = [], ""
    for volume in pool.listAllVolumes(0):
        try:
            found.append(facts_of(volume))
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_NO_STORAGE_VOL:
                problem = problem or problem_of(error, f"read {volume.name()!r}")
        except AppError as error:
            problem = problem or f"{volume.name()!r} cannot be read: {error.detail}"
        except ValueError:  # the binding met a name that is not UTF-8
            problem = problem or "A volume's name is not UTF-8; it is not shown."
    return tuple(sorted(found, key=lambda each: each.name)), problem


def facts_of(volume: libvirt.virStorageVol) -> VolumeFacts:
    """One volume as its host says it now. Raises libvirtError, Invalid."""
    document = Volume.parse(volume.XMLDesc(0))
    return VolumeFacts(
        name=document.name,
        key=document.key,
        path=document.path,
        format=document.format or "raw",
        capacity_bytes=_amount(document.capacity),
        allocation_bytes=_amount(document.allocation),
        backing_path=document.backing_path,
    )


def _amount(value: int | None) -> int:
    return max(0, min(value or 0, INT64_MAX))
