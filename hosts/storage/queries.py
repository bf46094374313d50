"""Reading pools and volumes: each list costs a fixed number of queries."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from django.db.models import Count, QuerySet, Sum
from django.db.models.functions import Coalesce

from hosts.models import Host, Pool, Volume
from hosts.storage import users
from hosts.storage.models import Holding
from hosts.storage.users import User
from kvmweb.operations.models import Operation
from kvmweb.ordering import ordered

STATES = ("ready", "building", "trash", "all")
ORDERINGS: dict[str, str | Sequence[str]] = {
    "name": "name",
    "format": ("format", "name"),
    "capacity_bytes": ("capacity_bytes", "name"),
    "allocation_bytes": ("allocation_bytes", "name"),
}
SEARCHED = ("name", "path")
PAGE = 50
SHOWN_STATES = ("all", "ready", "building", "trash", "unused")


@dataclass(frozen=True, slots=True)
class Shown:
    """A volume with what is known of it."""

    volume: Volume
    state: str
    held: Holding | None
    users: list[User] = field(default_factory=list)

    @property
    def format(self) -> str:
        """As we know it, else as its host sees it."""
        known = self.held.format if self.held else ""
        return known or self.volume.format


def pools(host: Host) -> QuerySet[Pool]:
    """Its pools by name, with `volumes_total` and `provisioned_bytes`."""
    return counted(host.pools.all()).select_related("host").order_by("name")


def counted(rows: QuerySet[Pool]) -> QuerySet[Pool]:
    """The same pools with how many volumes they have, and how large these may get."""
    return rows.annotate(
        volumes_total=Count("volumes"),
        provisioned_bytes=Coalesce(Sum("volumes__capacity_bytes"), 0),
    )


def one(pool: Pool) -> Pool:
    """The same pool, counted."""
    return counted(Pool.objects.filter(pk=pool.pk)).select_related("host").get()


def volumes(
    rows: QuerySet[Volume], *, state: str = "", unused: bool | None = None
) -> QuerySet[Volume]:
    """Those in this state ("": all but the trash), and used by nobody if asked so."""
    rows = rows.select_related("pool__host").order_by("name", "pk")
    held = _held(rows)
    by_state = {
        word: [pk for pk, row in held.items() if row.state == word]
        for word in ("building", "trash")
    }
    if state in by_state:
        rows = rows.filter(pk__in=by_state[state])
    elif state == "ready":
        rows = rows.exclude(pk__in=by_state["building"] + by_state["trash"])
    elif state != "all":
        rows = rows.exclude(pk__in=by_state["trash"])
    if unused is not None:
        used = _used(rows)
        rows = rows.exclude(pk__in=used) if unused else rows.filter(pk__in=used)
    return rows


def shown(rows: Iterable[Volume]) -> list[Shown]:
    """The same volumes with what is known of each and who uses it."""
    found = list(rows)
    held = _held_of(found)
    told = _users_of(found)
    return [
        Shown(
            volume,
            _state(held.get(volume.pk)),
            held.get(volume.pk),
            told.get(volume.pk, []),
        )
        for volume in found
    ]


def _state(row: Holding | None) -> str:
    return row.state if row else Holding.State.READY


def _users_of(found: Sequence[Volume]) -> dict[int, list[User]]:
    pools = {volume.pool_id: volume.pool for volume in found}
    told: dict[int, list[User]] = {}
    for pool in pools.values():
        mine = [volume for volume in found if volume.pool_id == pool.pk]
        told |= users.of_volumes(pool, mine)
    return told


def _used(rows: QuerySet[Volume]) -> list[int]:
    told = _users_of(list(rows))
    return [pk for pk, found in told.items() if found]


def _held(rows: QuerySet[Volume]) -> dict[int, Holding]:
    """What is known of any of these volumes; few have a state of their own."""
    odd = Holding.objects.exclude(state=Holding.State.READY)
    return _matched(rows.filter(path__in=odd.values("path")), odd)


def _held_of(found: Sequence[Volume]) -> dict[int, Holding]:
    paths = [volume.path for volume in found]
    return _matched(found, Holding.objects.filter(path__in=paths))


def _matched(found: Iterable[Volume], rows: QuerySet[Holding]) -> dict[int, Holding]:
    by_place = {(row.host_id, row.path): row for row in rows}
    return {
        volume.pk: by_place[volume.pool.host_id, volume.path]
        for volume in found
        if (volume.pool.host_id, volume.path) in by_place
    }


@dataclass(frozen=True, slots=True)
class Filters:
    """What of a pool somebody wants to see, as it stands in the URL."""

    search: str = ""
    state: str = ""
    sort: str = "name"

    @classmethod
    def of(cls, values: Mapping[str, str]) -> "Filters":
        """From a query string; what is not understood counts as not said."""
        said = {
            name: values.get(name, "").replace("\0", "").strip()[:200]
            for name in ("search", "state", "sort")
        }
        if said["state"] not in SHOWN_STATES:
            said["state"] = ""
        if said["sort"].removeprefix("-") not in ORDERINGS:
            said["sort"] = "name"
        return cls(**said)


def filtered(pool: Pool, filters: Filters) -> QuerySet[Volume]:
    """The volumes of a pool that somebody wants to see, in order."""
    unused = True if filters.state == "unused" else None
    state = "" if unused else filters.state
    rows = volumes(pool.volumes.all(), state=state, unused=unused)
    for word in filters.search.split()[:8]:
        rows = rows.filter(name__icontains=word)
    return rows.order_by(*ordered(filters.sort, ORDERINGS))


def in_trash(pool: Pool) -> int:
    """How many of its volumes are in the trash."""
    held = Holding.objects.filter(host=pool.host, state=Holding.State.TRASH)
    return pool.volumes.filter(path__in=held.values("path")).count()


def above(volume: Volume) -> list[Volume]:
    """The volumes of its host that stand on it."""
    rows = Volume.objects.filter(
        pool__host=volume.pool.host_id, backing_path=volume.path
    )
    return list(rows.exclude(backing_path="")[:PAGE])


def operations(pool: Pool) -> list[Operation]:
    """What was asked of the pool and its volumes last."""
    rows = Operation.objects.filter(host=pool.host_id, params__pool=pool.pk)
    return list(rows.order_by("-created_at")[:20])
