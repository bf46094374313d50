"""What becomes of a guest's disks when it moves: seen by both hosts, or copied. Pure."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from guests.migration.sides import Between, DiskAt, Needs, PoolAt, Reason, Side

SHARED, COPY, NONE = "shared", "copy", "none"
_WHOLE = {"logical", "disk", "zfs"}  # pools where a volume has all its space at once
_GIB = 1024**3


@dataclass(frozen=True, slots=True)
class Storage:
    """By which means the disks go along, and what speaks against it."""

    kind: str
    reasons: tuple[Reason, ...] = ()
    notes: tuple[Reason, ...] = ()
    copied: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()
    bytes_to_copy: int = 0


def storage_of(guest: Needs, target: Side, between: Between) -> Storage:
    """What becomes of each disk. What is not proved to be shared is copied."""
    data = [disk for disk in guest.disks if disk.writable]
    shared = [disk for disk in data if is_shared(disk, target, between)]
    copied = [disk for disk in data if disk not in shared]
    media = [disk for disk in guest.disks if not disk.writable and disk.path]
    reasons = [
        *_of_pools(copied, target, between),
        *_of_caches(guest, shared),
        *_of_media(media, target, between, optional=False),
    ]
    if copied and guest.snapshots:
        reasons.append(_snapshots(guest))
    return Storage(
        kind=COPY if copied else SHARED if shared else NONE,
        reasons=tuple(reasons),
        notes=(
            *_unproved(copied, target, between),
            *_of_media(media, target, between, optional=True),
        ),
        copied=tuple(disk.target for disk in copied),
        shared=tuple(disk.target for disk in shared),
        bytes_to_copy=sum(disk.allocated_bytes for disk in copied),
    )


def is_shared(disk: DiskAt, target: Side, between: Between) -> bool:
    """Whether both hosts are known to see the same disk."""
    seen = disk.directory in between.proved
    return disk.networked or (seen and target.pool_at(disk.directory) is not None)


def _of_pools(copied: list[DiskAt], target: Side, between: Between) -> Iterator[Reason]:
    """Whether the other host has room for copies under the same paths."""
    wanted: Counter[str] = Counter()
    for disk in copied:
        pool = target.pool_at(disk.directory)
        wanted[disk.directory] += _takes(disk, pool)
        if disk.path in target.paths and disk.directory not in _open(between):
            yield Reason(
                "volume_there",
                f"{target.name} has something at {disk.path} already.",
                "Delete it there, or prove that it is the same storage.",
                "prove",
                disk.directory,
            )
    for directory, size in wanted.items():
        yield from _of_pool(directory, size, target)


def _of_pool(directory: str, size: int, target: Side) -> Iterator[Reason]:
    pool = target.pool_at(directory)
    if pool is None:
        yield Reason(
            "no_pool",
            f"{target.name} has no storage pool at {directory or 'the same place'}.",
            f"Make a pool there on {target.name}.",
        )
    elif not pool.active:
        yield Reason(
            "pool_inactive",
            f"The pool {pool.name} of {target.name} is not started.",
            "Start it.",
            "start-pool",
            pool.name,
        )
    elif pool.free_bytes < size:
        yield Reason(
            "pool_full",
            f"The pool {pool.name} of {target.name} has {_gib(pool.free_bytes)} free, "
            f"{_gib(size)} are needed for copies.",
            "Make room there.",
        )


def _of_caches(guest: Needs, shared: list[DiskAt]) -> Iterator[Reason]:
    for disk in shared:
        if guest.live and disk.cache == "unsafe":
            yield Reason(
                "cache",
                f"The disk {disk.target} has the cache mode “unsafe”: what it wrote "
                "may not have reached the storage when the other host reads it.",
                "Set its cache to “none”.",
            )


def _of_media(
    media: list[DiskAt], target: Side, between: Between, *, optional: bool
) -> Iterator[Reason]:
    """CDs, floppies and read-only disks: libvirt copies none of them."""
    for disk in media:
        there = disk.networked or disk.path in target.paths
        if there or disk.directory in between.proved or disk.optional != optional:
            continue
        drive = disk.device in {"cdrom", "floppy"}
        yield Reason(
            "medium",
            f"What is in the drive {disk.target} ({disk.path}) is not on {target.name}."
            if drive
            else f"The read-only disk {disk.target} ({disk.path}) is not on {target.name}.",
            "Eject it." if drive else f"Copy it to {target.name} first.",
            "eject" if drive else "",
            disk.target,
        )


def _unproved(copied: list[DiskAt], target: Side, between: Between) -> Iterator[Reason]:
    for directory in dict.fromkeys(disk.directory for disk in copied):
        pool = target.pool_at(directory)
        if pool is None or not pool.active or directory in between.refuted:
            continue
        looks = "looks shared, but is" if directory in between.alike else "is"
        yield Reason(
            "not_proved",
            f"The storage at {directory} {looks} not proved to be shared with "
            f"{target.name}.",
            "Prove it, else the disks are copied.",
            "prove",
            directory,
        )


def _open(between: Between) -> frozenset[str]:
    """Directories of which only asking both hosts can say what lies there."""
    return between.alike - between.refuted


def _snapshots(guest: Needs) -> Reason:
    several = "snapshots" if guest.snapshots > 1 else "snapshot"
    return Reason(
        "snapshots",
        f"{guest.name} has {guest.snapshots} {several}, lost in a copy of its disks.",
        "Delete its snapshots, or move it on storage that both hosts see.",
    )


def _takes(disk: DiskAt, pool: PoolAt | None) -> int:
    whole = pool is not None and pool.type in _WHOLE
    return disk.capacity_bytes if whole else disk.allocated_bytes


def _gib(count: int) -> str:
    return f"{count / _GIB:.1f} GiB".replace(".0 ", " ")
