"""What lies in folders now, and what is on its way there. Rows only, fixed queries.

Counted are guests by their rows, and beside them what operations are about to make of
them: new guests, more vCPUs and memory, new and larger disks. What ended well counts
until the rows say so, too.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Q

from guests import sizing
from guests.charging import Size
from guests.folders.paths import lies_in
from guests.folders.use import Use
from guests.models import Guest
from guests.queries import in_folder
from hosts.models import Volume
from kvmweb.virt.types import DomainState

_COLUMNS = (
    *("name", "tags", "vcpus", "memory_bytes", "disks", "host"),
    *("seen_at", "differs"),
)


@dataclass(frozen=True, slots=True)
class Standing:
    """One guest that is there or coming, and what it takes up."""

    uuid: UUID
    tags: tuple[str, ...]
    use: Use


def used(paths: Collection[str], *, but_for: Collection[UUID] = ()) -> dict[str, Use]:
    """What each of these folders holds, without these guests. At most five queries."""
    found = dict.fromkeys(paths, Use())
    for each in standing(paths):
        if each.uuid in but_for:
            continue
        for path in paths:
            if lies_in(each.tags, path):
                found[path] += each.use
    return found


def standing(paths: Collection[str]) -> Iterator[Standing]:
    """Every guest in one of these folders, and every one that is about to be there."""
    some = Q(pk__in=())
    for path in paths:
        some |= in_folder(path)
    rows = Guest.objects.filter(some).exclude(state=DomainState.GONE)
    guests = list(rows.only(*_COLUMNS))
    making, growing = sizing.operations()
    sizes = sizing.of_all(guests, growing)
    for guest in guests:
        yield Standing(guest.pk, tuple(guest.tags), Use.of(sizes[guest.pk]))
    there = {guest.pk for guest in guests}
    capacities = _capacities(making)
    for uuid, params in making.items():
        tags, size = _new(params, capacities)
        if uuid not in there and any(lies_in(tags, path) for path in paths):
            yield Standing(uuid, tags, Use.of(size))


def _new(
    plan: dict[str, Any], capacities: dict[tuple[int, str], int]
) -> tuple[tuple[str, ...], Size]:
    """Tags and size of a guest that is being made of this plan."""
    if "blueprint" not in plan:
        return tuple(plan.get("tags", ())), Size(
            plan.get("vcpus", 0),
            plan.get("memory_bytes", 0),
            sum(disk["capacity_bytes"] for disk in plan["disks"]),
        )
    blueprint = plan["blueprint"]
    made = sum(volume["capacity_bytes"] for volume in plan["volumes"])
    taken = sum(capacities.get((plan["host"], path), 0) for path in plan["changes"])
    size = Size(blueprint["vcpus"], blueprint["memory_bytes"], made + taken)
    return tuple(blueprint["tags"]), size


def _capacities(making: dict[UUID, dict[str, Any]]) -> dict[tuple[int, str], int]:
    """Of the volumes that are there and become disks of new guests."""
    paths = {path for plan in making.values() for path in plan.get("changes", ())}
    if not paths:
        return {}
    rows = Volume.objects.filter(path__in=paths)
    columns = ("pool__host", "path", "capacity_bytes")
    return {(host, path): size for host, path, size in rows.values_list(*columns)}
