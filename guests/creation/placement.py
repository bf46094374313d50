"""Which host a new guest goes to, and why it and not the others. Pure.

Filters say why not; what is left is weighed. Several at once are spread: each choice is
taken into account by the next (`Room.with_guest`), so nothing is promised twice.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from kvmweb.errors import Conflict

FILES = frozenset({"dir", "fs", "netfs"})  # pools whose volumes are files
BLOCKS = frozenset({"logical", "zfs"})  # and those whose volumes are block devices
GIB = 1024**3
_CPU_SHARE = 4.0  # vCPUs a core may be promised to before a host counts as full
_THIN_BYTES = GIB  # what a disk that grows as it is written needs at once, at most
_WEIGHTS = {"memory": 0.6, "cpus": 0.25, "storage": 0.15}


class Refused(Conflict):
    """No host fits; `reasons` has the sentences of each host by its name."""

    code, title = "no_host_fits", "No host fits"

    def __init__(self, name: str, reasons: dict[str, tuple[str, ...]]) -> None:
        told = " ".join(f"{host}: {' '.join(why)}" for host, why in reasons.items())
        super().__init__(f"No host fits {name}. {told or 'There are no hosts yet.'}")
        self.reasons = reasons


@dataclass(frozen=True, slots=True)
class DiskNeed:
    """A disk that is to be made; `pool` names one or is "" for any that fits."""

    bytes: int
    pool: str = ""
    thin: bool = True  # it takes its room as it is written


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

    @property
    def memory_left_bytes(self) -> int:
        """What a new guest may take, by promises and by what the host has free."""
        left = self.memory_bytes - self.memory_promised_bytes
        return (
            left
            if self.memory_free_bytes is None
            else min(left, self.memory_free_bytes)
        )

    def with_guest(self, need: Need, pools: Sequence[int]) -> "Room":
        """The same host once this guest is promised to it."""
        free = self.memory_free_bytes
        return replace(
            self,
            vcpus_promised=self.vcpus_promised + need.vcpus,
            memory_promised_bytes=self.memory_promised_bytes + need.memory_bytes,
            memory_free_bytes=None if free is None else free - need.memory_bytes,
            names=self.names | {need.name},
            siblings=self.siblings + 1,
            pools=_filled(self.pools, pools, need.disks),
        )


@dataclass(frozen=True, slots=True)
class Choice:
    """Where it goes: the pool of each disk in its order, and why."""

    room: Room
    pools: tuple[int, ...]
    why: tuple[str, ...]
    others: dict[str, tuple[str, ...]]  # why not there, by the name of the host
    warnings: tuple[str, ...] = ()


def choose(need: Need, rooms: Iterable[Room]) -> Choice:
    """The fitting host with the fewest of its siblings and most room left.

    Ties go to the first name. Raises Refused with the reasons of each host.
    """
    every = sorted(rooms, key=lambda room: room.name)
    reasons = {room.name: tuple(_against(need, room)) for room in every}
    fitting = [room for room in every if not reasons[room.name]]
    if not fitting:
        raise Refused(need.name, _told(need, every, reasons))
    best = min(
        fitting, key=lambda room: (room.siblings, -_score(need, room), room.name)
    )
    others = {
        room.name: reasons[room.name] or (_behind(best, room),)
        for room in every
        if room.name != best.name
    }
    return Choice(
        room=best,
        pools=tuple(_pools(need, best) or ()),
        why=tuple(_for(need, best, len(fitting))),
        others=others,
        warnings=tuple(_warnings(need, best)),
    )


def choose_all(needs: Iterable[Need], rooms: Iterable[Room]) -> list[Choice]:
    """One choice for each, in order, every one counting those before it.

    Raises Refused when one finds no place: then nothing is placed at all.
    """
    left = {room.id: room for room in rooms}
    choices = []
    for need in needs:
        choice = choose(need, left.values())
        left[choice.room.id] = choice.room.with_guest(need, choice.pools)
        choices.append(choice)
    return choices


def fits_pool(disk: DiskNeed, pool: RoomPool) -> str:
    """Why this disk cannot be made in this pool; "" when it can."""
    if not pool.active:
        return f"The pool {pool.name} is not started."
    if pool.type not in FILES | BLOCKS:
        return f"A disk cannot be made in {pool.name}, a pool of type {pool.type}."
    needed = at_once(disk, pool)
    if pool.free_bytes < needed:
        return (
            f"The pool {pool.name} has {_gib(pool.free_bytes)} free, "
            f"{_gib(needed)} are needed."
        )
    return ""


def _told(
    need: Need, rooms: list[Room], reasons: dict[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    """Only the hosts that were asked for at all, when somebody named some."""
    named = {room.name for room in rooms if need.hosts is None or room.id in need.hosts}
    return {name: why for name, why in reasons.items() if name in named} or reasons


def _against(need: Need, room: Room) -> Iterator[str]:
    """Every reason why it cannot go there."""
    if need.hosts is not None and room.id not in need.hosts:
        yield need.because or "Another host was chosen."
        return
    if not room.up:
        yield "It does not answer now."
        return
    if room.maintenance:
        yield "It is in maintenance."
    if need.name in room.names:
        yield f"It has a guest {need.name} already."
    yield from _unable(need, room)
    yield from _too_small(need, room)


def _unable(need: Need, room: Room) -> Iterator[str]:
    can = room.abilities
    if need.arch and room.arch and need.arch != room.arch:
        yield f"It is a machine of {room.arch}, not {need.arch}."
    if can.firmware is not None and need.firmware not in can.firmware:
        yield f"It has no firmware for {_FIRMWARE.get(need.firmware, need.firmware)}."
    yield from _lacking(need, can)
    if need.machine and can.machines and not _known_machine(need.machine, can.machines):
        yield f"It has no machine of type {need.machine}."
    if need.cpu_model and can.cpu_models and need.cpu_model not in can.cpu_models:
        yield f"It does not have the CPU model {need.cpu_model}."
    if missing := sorted(need.networks - room.networks):
        yield f"It has no active network {' and no '.join(missing)}."


def _lacking(need: Need, can: Abilities) -> Iterator[str]:
    if need.tpm and can.tpm is False:
        yield "It cannot emulate a TPM: swtpm is not installed there."
    if need.virtiofs and can.virtiofs is False:
        yield "It cannot share directories: virtiofsd is not installed there."
    if need.hugepages and can.hugepages is False:
        yield "It has no huge pages set aside."


def _too_small(need: Need, room: Room) -> Iterator[str]:
    most = room.abilities.vcpus_max
    if most is not None and need.vcpus > most:
        yield f"It gives a guest at most {most} vCPUs."
    if need.vcpus > room.cpus and not need.by_hand:
        yield f"It has {room.cpus} CPUs, {need.vcpus} vCPUs are wanted."
    if need.memory_bytes > room.memory_bytes > 0:
        yield f"It has {_gib(room.memory_bytes)} of memory, {_gib(need.memory_bytes)} are wanted."
    elif need.memory_bytes > room.memory_left_bytes and not need.by_hand:
        yield (
            f"It has {_gib(max(0, room.memory_left_bytes))} of memory left, "
            f"{_gib(need.memory_bytes)} are wanted."
        )
    if _pools(need, room) is None:
        yield from _no_pool(need, room)


def _no_pool(need: Need, room: Room) -> Iterator[str]:
    told: set[str] = set()
    left = room.pools
    for disk in need.disks:
        pool = _pool(disk, left)
        if pool is not None:
            left = _filled(left, [pool.id], [disk])
            continue
        named = [it for it in left if it.name == disk.pool or not disk.pool]
        why = " ".join(fits_pool(disk, it) for it in named)
        told.add(why or f"It has no pool {disk.pool}".strip() + ".")
    yield from sorted(told)


def _pools(need: Need, room: Room) -> list[int] | None:
    """A pool for each disk, all of them together; None when one finds none."""
    found, left = [], room.pools
    for disk in need.disks:
        pool = _pool(disk, left)
        if pool is None:
            return None
        found.append(pool.id)
        left = _filled(left, [pool.id], [disk])
    return found


def _pool(disk: DiskNeed, pools: Iterable[RoomPool]) -> RoomPool | None:
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


def _filled(
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


def _score(need: Need, room: Room) -> float:
    """How much of everything would be left, 0 to 1; a copy of the image helps a little."""
    memory = (room.memory_left_bytes - need.memory_bytes) / max(room.memory_bytes, 1)
    busy = (room.vcpus_promised + need.vcpus) / (max(room.cpus, 1) * _CPU_SHARE)
    chosen = set(_pools(need, room) or ())
    shares = [
        pool.free_bytes / max(pool.capacity_bytes, 1)
        for pool in room.pools
        if pool.id in chosen
    ]
    left = {"memory": memory, "cpus": 1 - busy, "storage": min(shares, default=1.0)}
    bonus = 0.1 if need.image and need.image in room.images else 0.0
    return bonus + sum(_WEIGHTS[what] * share for what, share in left.items())


def _for(need: Need, room: Room, fitting: int) -> Iterator[str]:
    if need.by_hand:
        yield "You chose it."
    elif fitting == 1:
        yield "It is the only host that fits."
    elif need.hosts is not None and need.because:
        yield "What it is made of is there."
    else:
        yield f"It has room: {_gib(room.memory_left_bytes)} of memory left."
    if need.image and need.image in room.images:
        yield "It has a copy of the image already."
    if room.siblings:
        yield f"{room.siblings} of its siblings are there; others have as many."


def _behind(best: Room, other: Room) -> str:
    if other.siblings > best.siblings:
        return f"It fits, but {other.siblings} of its siblings go there."
    return f"It fits, too, but {best.name} has more room left."


def _warnings(need: Need, room: Room) -> Iterator[str]:
    if need.by_hand and need.memory_bytes > room.memory_left_bytes:
        yield (
            f"{room.name} has only {_gib(max(0, room.memory_left_bytes))} of memory left: "
            "it may not start, or slow down others."
        )
    if need.by_hand and need.vcpus > room.cpus:
        yield f"{room.name} has {room.cpus} CPUs, fewer than the guest."


def _known_machine(machine: str, machines: frozenset[str]) -> bool:
    return any(it == machine or it.startswith(f"pc-{machine}-") for it in machines)


def _gib(count: int) -> str:
    return f"{count / GIB:.1f} GiB".replace(".0 ", " ")


_FIRMWARE = {"bios": "BIOS", "uefi": "UEFI", "uefi-secure": "UEFI with secure boot"}
