"""The hosts as places for new guests, with all that is promised already. Fixed queries."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Sum
from django.db.models.functions import Coalesce

from guests.creation.placement import Abilities, Room, RoomPool
from guests.images.models import ImageCopy
from guests.models import Guest
from hosts.models import Host, Network, Pool
from kvmweb import samples
from kvmweb.operations.models import Operation
from kvmweb.virt.types import DomainState

KINDS = ("guest.create", "guest.clone")  # what brings new guests to hosts
RUNNING = (DomainState.RUNNING, DomainState.PAUSED, DomainState.SHUTTING_DOWN)


@dataclass(frozen=True, slots=True)
class Promise:
    """What an operation under way takes of its host, as its params say."""

    vcpus: int = 0
    memory_bytes: int = 0
    pools: tuple[tuple[int, int], ...] = ()  # id and bytes

    def told(self) -> dict[str, Any]:
        """As `params["promise"]`."""
        return {
            "vcpus": self.vcpus,
            "memory_bytes": self.memory_bytes,
            "pools": [list(each) for each in self.pools],
        }


@dataclass(slots=True)
class _Taken:
    """What is promised of one host."""

    vcpus: int = 0
    memory_bytes: int = 0


def rooms(names: Collection[str], image: int | None = None) -> list[Room]:
    """Every host as a room; of its guests only those of these names are named.

    With `image`, it is known which have a copy of it. At most eight queries, and one look
    at the latest samples.
    """
    hosts = list(Host.objects.order_by("pk"))
    running = _running()
    taken_names = _names(names)
    pools, networks = _pools(), _networks()
    coming, full = _promised(taken_names)
    copies = _copies(image)
    numbers = samples.latest_of_hosts([host.pk for host in hosts])
    found = []
    for host in hosts:
        run, come = running.get(host.pk, _Taken()), coming[host.pk]
        sample = numbers.get(host.pk)
        free = sample.memory_free_bytes if sample else host.memory_free_bytes
        found.append(
            Room(
                id=host.pk,
                name=host.name,
                up=host.state == Host.State.UP,
                maintenance=host.maintenance,
                virt_type=host.virt_type,
                arch=host.arch,
                cpus=host.cpus,
                vcpus_promised=run.vcpus + come.vcpus,
                memory_bytes=host.memory_bytes,
                memory_promised_bytes=run.memory_bytes + come.memory_bytes,
                memory_free_bytes=None if free is None else free - come.memory_bytes,
                pools=tuple(_room_pool(pool, full) for pool in pools[host.pk]),
                networks=frozenset(networks[host.pk]),
                names=frozenset(taken_names[host.pk]),
                images=frozenset({str(image)} if host.pk in copies else ()),
                abilities=abilities(host.capabilities),
            )
        )
    return found


def abilities(told: dict[str, Any]) -> Abilities:
    """What a host said it can do; of one that said nothing, nothing is known."""
    if not told:
        return Abilities()
    return Abilities(
        firmware=frozenset(told.get("firmware") or ()) or None,
        machines=frozenset(told.get("machines") or ()) or None,
        cpu_models=frozenset(told.get("cpu_models") or ()) or None,
        tpm=told.get("tpm"),
        virtiofs=told.get("virtiofs"),
        hugepages=bool(told.get("hugepages")),
        vcpus_max=told.get("max_vcpus") or None,
    )


def _running() -> dict[int, _Taken]:
    rows = Guest.objects.filter(state__in=RUNNING, host__isnull=False).order_by()
    sums = rows.values("host").annotate(
        cpus=Coalesce(Sum("vcpus"), 0), memory=Coalesce(Sum("memory_bytes"), 0)
    )
    return {row["host"]: _Taken(row["cpus"], row["memory"]) for row in sums}


def _names(names: Collection[str]) -> defaultdict[int, set[str]]:
    rows = Guest.objects.filter(name__in=names, host__isnull=False)
    rows = rows.exclude(state=DomainState.GONE)
    found: defaultdict[int, set[str]] = defaultdict(set)
    for host_id, name in rows.values_list("host", "name"):
        found[host_id or 0].add(name)
    return found


def _pools() -> defaultdict[int, list[Pool]]:
    found: defaultdict[int, list[Pool]] = defaultdict(list)
    columns = ("host", "name", "type", "active", "capacity_bytes", "available_bytes")
    for pool in Pool.objects.order_by("name").only(*columns):
        found[pool.host_id].append(pool)
    return found


def _networks() -> defaultdict[int, list[str]]:
    found: defaultdict[int, list[str]] = defaultdict(list)
    rows = Network.objects.filter(active=True)
    for host_id, name in rows.values_list("host", "name"):
        found[host_id].append(name)
    return found


def _copies(image: int | None) -> set[int]:
    """The hosts that have this image already."""
    if image is None:
        return set()
    rows = ImageCopy.objects.filter(image=image, state=ImageCopy.State.READY)
    return set(rows.values_list("host", flat=True))


def _promised(
    names: defaultdict[int, set[str]],
) -> tuple[defaultdict[int, _Taken], Counter[int]]:
    """What is on its way to each host and into each pool; its names, too."""
    coming: defaultdict[int, _Taken] = defaultdict(_Taken)
    full: Counter[int] = Counter()
    rows = Operation.objects.filter(
        kind__in=KINDS, state__in=Operation.ACTIVE, host__isnull=False
    )
    columns = ("host", "guest", "guest_name", "params__promise")
    told = list(rows.values_list(*columns))
    seen = _seen_running(guest for _, guest, _, _ in told)
    for host_id, guest, name, promise in told:
        names[host_id or 0].add(name)
        if not promise:
            continue
        full.update({int(pool): int(size) for pool, size in promise["pools"]})
        if guest not in seen:
            coming[host_id or 0].vcpus += promise["vcpus"]
            coming[host_id or 0].memory_bytes += promise["memory_bytes"]
    return coming, full


def _seen_running(guests: Iterable[Any]) -> set[Any]:
    """Those that run already count as what runs."""
    rows = Guest.objects.filter(pk__in=list(guests), state__in=RUNNING)
    return set(rows.values_list("pk", flat=True))


def _room_pool(pool: Pool, full: Counter[int]) -> RoomPool:
    return RoomPool(
        id=pool.pk,
        name=pool.name,
        type=pool.type,
        active=pool.active,
        capacity_bytes=pool.capacity_bytes,
        free_bytes=pool.available_bytes - full[pool.pk],
    )
