"""Hosts as the two ends of a move, from their rows. Fixed queries."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from uuid import UUID

from guests.creation.places import Room
from guests.creation.rooms import rooms
from guests.migration.sides import Needs, PoolAt, Side
from guests.models import Guest
from hosts.models import Host, Network, Pool, Volume
from kvmweb.virt.types import DomainState


class Ends:
    """Every host as one end of a move of these guests. At most thirteen queries."""

    def __init__(self, guests: Sequence[Guest], needs: dict[UUID, Needs]) -> None:
        paths = {disk.path for each in needs.values() for disk in each.disks}
        self._hosts = Host.objects.in_bulk()
        self._rooms = {room.id: room for room in rooms((), but_for=set(needs))}
        self._pools = _pools(self._rooms)
        self._networks, self._bridges = _networks()
        self._paths = _paths(paths - {""})
        self._names = _names({guest.name for guest in guests})
        self._plain = {pk: self._side(host) for pk, host in self._hosts.items()}

    def hosts(self) -> list[Host]:
        """All of them, by name."""
        return sorted(self._hosts.values(), key=lambda host: host.name)

    def side(self, host_id: int | None) -> Side:
        """This host; one that is not there any more does not answer."""
        return self._plain.get(host_id or 0, Side(id=0, name="no host", up=False))

    def has_other(self, host_id: int, guest: Guest) -> bool:
        """Whether another guest of this host has the same name."""
        return bool(self._names[host_id, guest.name] - {guest.pk})

    def _side(self, host: Host) -> Side:
        told = host.capabilities
        interfaces = {each["name"] for each in host.interfaces}
        room = self._rooms.get(host.pk)
        return Side(
            id=host.pk,
            name=host.name,
            up=host.state == Host.State.UP,
            maintenance=host.maintenance,
            arch=host.arch,
            virt_types=frozenset(host.virt_types),
            emulator=_version(host.hypervisor_version),
            libvirt=_version(host.libvirt_version),
            machines=frozenset(told.get("machines") or ()),
            firmware=frozenset(told.get("firmware") or ()),
            cpu_models=frozenset(told.get("cpu_models") or ()),
            cpu=told.get("host_cpu") or host.cpu_model,
            vcpus_max=told.get("max_vcpus") or 0,
            tpm=told.get("tpm"),
            hugepages=bool(told["hugepages"]) if "hugepages" in told else None,
            memory_left_bytes=_left(room),
            networks=self._networks[host.pk],
            interfaces=frozenset(interfaces and interfaces | self._bridges[host.pk]),
            pools=tuple(self._pools[host.pk]),
            paths=frozenset(self._paths[host.pk]),
            address=host.migration_address or host.address,
        )


def _left(room: Room | None) -> int | None:
    known = room is not None and room.memory_bytes > 0
    return room.memory_left_bytes if room and known else None


def _version(text: str) -> tuple[int, ...]:
    parts = text.split(".")
    return (
        tuple(int(part) for part in parts)
        if text and "".join(parts).isdecimal()
        else ()
    )


def _pools(places: dict[int, Room]) -> defaultdict[int, list[PoolAt]]:
    free = {pool.id: pool.free_bytes for room in places.values() for pool in room.pools}
    found: defaultdict[int, list[PoolAt]] = defaultdict(list)
    columns = ("pk", "host", "name", "type", "active", "target", "available_bytes")
    for pk, host, name, kind, active, target, left in Pool.objects.values_list(
        *columns
    ):
        pool = PoolAt(name, kind, active, target.rstrip("/"), free.get(pk, left))
        found[host].append(pool)
    return found


def _networks() -> tuple[defaultdict[int, dict[str, bool]], defaultdict[int, set[str]]]:
    """Whether each is active, by host and name; and their bridges."""
    found: defaultdict[int, dict[str, bool]] = defaultdict(dict)
    bridges: defaultdict[int, set[str]] = defaultdict(set)
    rows = Network.objects.values_list("host", "name", "active", "bridge")
    for host, name, active, bridge in rows:
        found[host][name] = active
        if active and bridge:
            bridges[host].add(bridge)
    return found, bridges


def _paths(paths: Collection[str]) -> defaultdict[int, set[str]]:
    """Which of these each host knows as a volume."""
    found: defaultdict[int, set[str]] = defaultdict(set)
    rows = Volume.objects.filter(path__in=paths)
    for host, path in rows.values_list("pool__host", "path"):
        found[host].add(path)
    return found


def _names(names: Collection[str]) -> defaultdict[tuple[int, str], set[UUID]]:
    found: defaultdict[tuple[int, str], set[UUID]] = defaultdict(set)
    rows = Guest.objects.filter(name__in=names, host__isnull=False)
    rows = rows.exclude(state=DomainState.GONE)
    for host, name, uuid in rows.values_list("host", "name", "pk"):
        found[host or 0, name].add(uuid)
    return found
