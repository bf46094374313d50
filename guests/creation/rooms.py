"""The hosts as places for new guests, with all that is promised already. Fixed queries."""

from collections import Counter, defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Q, Sum
from django.db.models.functions import Coalesce

from guests.balance.models import PlacementRule
from guests.creation import coming as on_the_way
from guests.creation.coming import Taken
from guests.creation.places import Abilities, Room, RoomPool, TagRule
from guests.images.models import ImageCopy
from guests.models import Guest
from hosts.models import Host, Network, Pool
from kvmweb import samples
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


def rooms(
    names: Collection[str],
    image: int | None = None,
    *,
    but_for: Collection[UUID] = (),
) -> list[Room]:
    """Every host as a room; of its guests only those of these names are named.

    With `image`, it is known which have a copy of it. Moves of the guests `but_for` do
    not count. At most twelve queries, and one look at the latest samples.
    """
    hosts = list(Host.objects.order_by("pk"))
    running = _running()
    taken_names = _names(names)
    pools, networks = _pools(), _networks()
    coming, full = on_the_way.promised(KINDS, taken_names, but_for)
    ruled = tagged()
    copies = _copies(image)
    numbers = samples.latest_of_hosts([host.pk for host in hosts])
    found = []
    for host in hosts:
        run, come = running.get(host.pk, Taken()), coming[host.pk]
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
                reserved_bytes=host.reserved_memory_bytes,
                cpu_overcommit=host.cpu_overcommit,
                memory_overcommit=host.memory_overcommit,
                tags=frozenset(host.tags),
                guest_tags=ruled.get(host.pk, {}),
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


def _running() -> dict[int, Taken]:
    rows = Guest.objects.filter(state__in=RUNNING, host__isnull=False).order_by()
    sums = rows.values("host").annotate(
        cpus=Coalesce(Sum("vcpus"), 0), memory=Coalesce(Sum("memory_bytes"), 0)
    )
    return {row["host"]: Taken(row["cpus"], row["memory"]) for row in sums}


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


def tagged() -> dict[int, Counter[str]]:
    """How many guests with each tag that has a rule are on each host."""
    tags = set(PlacementRule.objects.values_list("tag", flat=True))
    found: dict[int, Counter[str]] = defaultdict(Counter)
    if not tags:
        return found
    some = Q()
    for tag in tags:
        some |= Q(tag_words__contains=f" {tag} ")
    rows = Guest.objects.filter(some, host__isnull=False)
    rows = rows.exclude(state=DomainState.GONE).order_by()
    for host_id, told in rows.values_list("host", "tags"):
        found[host_id or 0].update(tags.intersection(told))
    return found


def rules_of(tags: Collection[str]) -> tuple[TagRule, ...]:
    """What is asked of guests with these tags."""
    rows = PlacementRule.objects.filter(tag__in=tags).order_by(
        "tag", "kind", "host_tag"
    )
    return tuple(
        TagRule(row.tag, row.kind, must=row.must, host_tag=row.host_tag) for row in rows
    )


def _copies(image: int | None) -> set[int]:
    """The hosts that have this image already."""
    if image is None:
        return set()
    rows = ImageCopy.objects.filter(image=image, state=ImageCopy.State.READY)
    return set(rows.values_list("host", flat=True))


def _room_pool(pool: Pool, full: Counter[int]) -> RoomPool:
    return RoomPool(
        id=pool.pk,
        name=pool.name,
        type=pool.type,
        active=pool.active,
        capacity_bytes=pool.capacity_bytes,
        free_bytes=pool.available_bytes - full[pool.pk],
    )
