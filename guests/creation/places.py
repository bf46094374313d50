"""Hosts as places and guests as what needs one: values, and which pool takes a disk."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

FILES = frozenset({"dir", "fs", "netfs"})  # pools whose volumes are files
BLOCKS = frozenset({"logical", "zfs"})  # and those whose volumes are block devices
GIB = 1024**3
APART, TOGETHER, ON = KINDS = ("apart", "together", "on")
_THIN_BYTES = GIB  # what a disk that grows as it is written needs at once, at most


@dataclass(frozen=True, slots=True)
class DiskNeed:
    """A disk that is to be made; `pool` names one or is "" for any that fits."""

    bytes: int
    pool: str = ""
    thin: bool = True  # it takes its room as it is written


@dataclass(frozen=True, slots=True)
class TagRule:
    """Where guests with a tag belong: apart, together, or on hosts with a tag."""

    tag: str
    kind: str  # one of KINDS
    must: bool = True  # else it is only liked
    host_tag: str = ""  # of "on"


@dataclass(frozen=True, slots=True)
class Need:
    """What a new guest asks of a host. Empty values ask for nothing."""

    name: str
    vcpus: int
    memory_bytes: int
    disks: tuple[DiskNeed, ...] = ()
    networks: frozenset[str] = frozenset()
    hosts: frozenset[int] | None = None  # only these, because of `because`
    because: str = ""  # "The volume data.qcow2 is not there."
    by_hand: bool = False  # a person named the host: little memory is their decision
    arch: str = ""
    firmware: str = "bios"
    tpm: bool = False
    machine: str = ""
    cpu_model: str = ""
    virtiofs: bool = False
    hugepages: bool = False
    image: str = ""  # of the catalogue; a host that has it already is better
    keep: tuple[TagRule, ...] = ()  # the rules about its tags


@dataclass(frozen=True, slots=True)
class RoomPool:
    """A storage pool of a host; bytes are free for new volumes, promises taken off."""

    id: int
    name: str
    type: str
    active: bool
    capacity_bytes: int
    free_bytes: int


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a host can do; None where it has not said, and then it is not refused."""

    firmware: frozenset[str] | None = None
    machines: frozenset[str] | None = None
    cpu_models: frozenset[str] | None = None
    tpm: bool | None = None
    virtiofs: bool | None = None
    hugepages: bool | None = None
    vcpus_max: int | None = None


@dataclass(frozen=True, slots=True)
class Room:
    """A host as a place for guests. Promises are what is on its way there."""

    id: int
    name: str
    up: bool = True
    maintenance: bool = False
    virt_type: str = "kvm"
    arch: str = ""
    cpus: int = 1
    vcpus_promised: int = 0
    memory_bytes: int = 0
    memory_promised_bytes: int = 0  # of what runs, and of what is on its way
    memory_free_bytes: int | None = None  # as the host counts it; None: not said
    pools: tuple[RoomPool, ...] = ()
    networks: frozenset[str] = frozenset()  # that are active
    names: frozenset[str] = frozenset()  # of its guests, and of those on their way
    images: frozenset[str] = frozenset()
    abilities: Abilities = field(default_factory=Abilities)
    siblings: int = 0  # made together with the one that is placed
    reserved_bytes: int = 0  # of its memory, for itself alone
    cpu_overcommit: float | None = None  # vCPUs a CPU may be promised to; None: any
    memory_overcommit: float = 1.0  # how often its memory may be promised
    tags: frozenset[str] = frozenset()
    guest_tags: Mapping[str, int] = field(default_factory=dict)  # of its guests

    @property
    def memory_left_bytes(self) -> int:
        """What a new guest may take, by promises and by what the host has free."""
        whole = self.memory_bytes - self.reserved_bytes
        left = int(whole * self.memory_overcommit) - self.memory_promised_bytes
        free = self.memory_free_bytes
        return left if free is None else min(left, int(free * self.memory_overcommit))

    @property
    def vcpus_left(self) -> int | None:
        """The vCPUs a new guest may take; None: nobody has set a limit."""
        if self.cpu_overcommit is None:
            return None
        return int(self.cpus * self.cpu_overcommit) - self.vcpus_promised

    def with_guest(self, need: Need, pools: Sequence[int]) -> "Room":
        """The same host once this guest is promised to it."""
        free = self.memory_free_bytes
        tags = dict(self.guest_tags)
        for rule in need.keep:
            tags[rule.tag] = tags.get(rule.tag, 0) + 1
        return replace(
            self,
            vcpus_promised=self.vcpus_promised + need.vcpus,
            memory_promised_bytes=self.memory_promised_bytes + need.memory_bytes,
            memory_free_bytes=None if free is None else free - need.memory_bytes,
            names=self.names | {need.name},
            siblings=self.siblings + 1,
            pools=filled(self.pools, pools, need.disks),
            guest_tags=tags,
        )


def fits_pool(disk: DiskNeed, pool: RoomPool) -> str:
    """Why this disk cannot be made in this pool; "" when it can."""
    if not pool.active:
        return f"The pool {pool.name} is not started."
    if pool.type not in FILES | BLOCKS:
        return f"A disk cannot be made in {pool.name}, a pool of type {pool.type}."
    needed = at_once(disk, pool)
    if pool.free_bytes < needed:
        return (
            f"The pool {pool.name} has {gib(pool.free_bytes)} free, "
            f"{gib(needed)} are needed."
        )
    return ""


def pools_for(need: Need, room: Room) -> list[int] | None:
    """A pool for each disk, all of them together; None when one finds none."""
    found, left = [], room.pools
    for number, disk in enumerate(need.disks, 1):
        pool = pool_for(disk, left)
        if pool is None:
            return None
        found.append(pool.id)
        if number < len(need.disks):
            left = filled(left, [pool.id], [disk])
    return found


def pool_for(disk: DiskNeed, pools: Iterable[RoomPool]) -> RoomPool | None:
    """The named one, else "default", else the one with most room."""
    fitting = [
        pool
        for pool in pools
        if (not disk.pool or pool.name == disk.pool) and not fits_pool(disk, pool)
    ]
    return max(
        fitting,
        key=lambda pool: (pool.name == "default", pool.free_bytes, pool.name),
        default=None,
    )


def filled(
    pools: Iterable[RoomPool], taken: Sequence[int], disks: Sequence[DiskNeed]
) -> tuple[RoomPool, ...]:
    """The same pools once these disks are made, each in its own."""
    left = {pool.id: pool for pool in pools}
    for pool_id, disk in zip(taken, disks, strict=True):
        pool = left[pool_id]
        left[pool_id] = replace(pool, free_bytes=pool.free_bytes - at_once(disk, pool))
    return tuple(left.values())


def at_once(disk: DiskNeed, pool: RoomPool) -> int:
    """The bytes it takes when it is made; only files can grow as they are written."""
    thin = disk.thin and pool.type in FILES
    return min(disk.bytes, _THIN_BYTES) if thin else disk.bytes


def gib(count: int) -> str:
    return f"{count / GIB:.1f} GiB".replace(".0 ", " ")
