"""Why a guest cannot go to a host, in sentences. Pure."""

from collections.abc import Iterable, Iterator, Mapping

from guests.creation.places import (
    APART,
    ON,
    TOGETHER,
    Abilities,
    Need,
    Room,
    TagRule,
    filled,
    fits_pool,
    gib,
    pool_for,
    pools_for,
)

Homes = Mapping[str, frozenset[int]]  # hosts that have guests with the tag now


def homes_of(need: Need, rooms: Iterable[Room]) -> Homes:
    """Where the guests are that this one stays together with; only hosts in service."""
    tags = {rule.tag for rule in need.keep if rule.kind == TOGETHER}
    if not tags:
        return {}
    there = [room for room in rooms if room.up and not room.maintenance]
    return {
        tag: frozenset(room.id for room in there if room.guest_tags.get(tag))
        for tag in tags
    }


def against(need: Need, room: Room, homes: Homes) -> Iterator[str]:
    """Every reason why it cannot go there; `homes` as of `homes_of`."""
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
    if not need.by_hand:
        yield from broken(need, room, homes, must=True)
    yield from _unable(need, room)
    yield from _too_small(need, room)


def broken(need: Need, room: Room, homes: Homes, *, must: bool) -> Iterator[str]:
    """The rules about its tags that would be broken there; those that must, or are liked."""
    for rule in need.keep:
        if rule.must == must and (why := _breaks(rule, room, homes)):
            yield why


def _breaks(rule: TagRule, room: Room, homes: Homes) -> str:
    if rule.kind == APART and room.guest_tags.get(rule.tag):
        return f"It has a guest with the tag {rule.tag}, and those stay apart."
    if rule.kind == ON and rule.host_tag not in room.tags:
        return (
            f"It has no tag {rule.host_tag}: guests with the tag {rule.tag} "
            "belong on hosts that do."
        )
    home = homes.get(rule.tag, frozenset())
    if rule.kind == TOGETHER and home and room.id not in home:
        return f"The others with the tag {rule.tag} are elsewhere, and stay together."
    return ""


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
    left = room.vcpus_left
    if left is not None and need.vcpus > left and not need.by_hand:
        yield (
            f"It may promise {max(0, left)} vCPUs more, {need.vcpus} are wanted "
            f"({room.cpu_overcommit:g} for each CPU)."
        )
    if need.memory_bytes > room.memory_bytes > 0:
        yield f"It has {gib(room.memory_bytes)} of memory, {gib(need.memory_bytes)} are wanted."
    elif need.memory_bytes > room.memory_left_bytes and not need.by_hand:
        yield (
            f"It has {gib(max(0, room.memory_left_bytes))} of memory left, "
            f"{gib(need.memory_bytes)} are wanted."
        )
    if pools_for(need, room) is None:
        yield from no_pool(need, room)


def no_pool(need: Need, room: Room) -> Iterator[str]:
    told: set[str] = set()
    left = room.pools
    for disk in need.disks:
        pool = pool_for(disk, left)
        if pool is not None:
            left = filled(left, [pool.id], [disk])
            continue
        named = [it for it in left if it.name == disk.pool or not disk.pool]
        why = " ".join(fits_pool(disk, it) for it in named)
        told.add(why or f"It has no pool {disk.pool}".strip() + ".")
    yield from sorted(told)


def _known_machine(machine: str, machines: frozenset[str]) -> bool:
    return any(it == machine or it.startswith(f"pc-{machine}-") for it in machines)


_FIRMWARE = {"bios": "BIOS", "uefi": "UEFI", "uefi-secure": "UEFI with secure boot"}
