"""What lies in folders now, and what is on its way there. Rows only, fixed queries.

Counted are guests by their rows, and beside them what operations are about to make of
them: new guests, more vCPUs and memory, new and larger disks. What ended well counts
until the rows say so, too.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from guests.charging import Size
from guests.folders.paths import lies_in
from guests.folders.use import Use
from guests.models import Document, Guest
from guests.queries import Volumes, in_folder
from hosts.models import Volume
from kvmweb.errors import Invalid
from kvmweb.operations.models import Operation
from kvmweb.virt.types import DomainState
from kvmweb.virt.xml.domain import Domain

_MAKING = ("guest.create", "guest.clone")
_GROWING = (
    "guest.change",
    "guest.disk-add",
    "guest.disk-grow",
    "guest.disk-change",
)
_UNSEEN = timedelta(minutes=1)  # so long a host may take to say what came true
_DISKS = frozenset({"disk", "lun"})
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
    making, growing = _operations()
    sizes = sizes_of(guests, growing)
    for guest in guests:
        yield Standing(guest.pk, tuple(guest.tags), Use.of(sizes[guest.pk]))
    there = {guest.pk for guest in guests}
    capacities = _capacities(making)
    for uuid, params in making.items():
        tags, size = _new(params, capacities)
        if uuid not in there and any(lies_in(tags, path) for path in paths):
            yield Standing(uuid, tags, Use.of(size))


def sizes_of(
    guests: Collection[Guest], growing: "Growing | None" = None
) -> dict[UUID, Size]:
    """What each takes up, or will once what is under way is done."""
    growing = _operations()[1] if growing is None else growing
    places = Volumes(guests)
    later = _at_next_start(guests)
    found = {}
    for guest in guests:
        vcpus, memory = later.get(guest.pk, (0, 0))
        size = _Grown(
            max(guest.vcpus, vcpus),
            max(guest.memory_bytes, memory),
            {
                disk["target"]: _capacity(guest, disk, places)
                for disk in guest.disks
                if disk["device"] in _DISKS and not disk["readonly"]
            },
        )
        for operation in growing.get(guest.pk, ()):
            size.take(operation, guest)
        found[guest.pk] = size.whole
    return found


def size_without_what_is_asked(guest: Guest) -> Size:
    """What it takes up, but for the operation that is under way on it."""
    ended = [it for it in _operations()[1].get(guest.pk, ()) if not it.active]
    return sizes_of([guest], {guest.pk: ended})[guest.pk]


Growing = dict[UUID, list[Operation]]


@dataclass(slots=True)
class _Grown:
    """A guest's size while operations change it."""

    vcpus: int
    memory_bytes: int
    disks: dict[str, int]

    @property
    def whole(self) -> Size:
        return Size(self.vcpus, self.memory_bytes, sum(self.disks.values()))

    def take(self, operation: Operation, guest: Guest) -> None:
        """What the operation makes of it; what the host said since is truer."""
        params = operation.params
        target = params.get("target", "")
        if wanted := (params.get("change") or {}).get("size_bytes"):
            # A disk never shrinks, so this holds whoever was heard last.
            self.disks[target] = max(self.disks.get(target, 0), wanted)
        if operation.finished_at and operation.finished_at < guest.seen_at:
            return
        hardware = params.get("hardware") or {}
        self.vcpus = max(self.vcpus, hardware.get("vcpus") or 0)
        self.memory_bytes = max(self.memory_bytes, hardware.get("memory_bytes") or 0)
        if operation.kind == "guest.disk-add" and not params.get("readonly"):
            self.disks.setdefault(target, params.get("size_bytes") or 0)


def _operations() -> tuple[dict[UUID, dict[str, Any]], Growing]:
    """The new guests that are on their way, and what makes others larger. One query."""
    recent = Q(
        state=Operation.State.SUCCEEDED, finished_at__gt=timezone.now() - _UNSEEN
    )
    rows = Operation.objects.filter(
        Q(kind__in=_MAKING, state__in=Operation.ACTIVE)
        | Q(kind__in=_GROWING) & (Q(state__in=Operation.ACTIVE) | recent),
        guest__isnull=False,
    ).only("kind", "guest", "state", "finished_at", "params")
    making: dict[UUID, dict[str, Any]] = {}
    growing: Growing = defaultdict(list)
    for row in rows.order_by("created_at"):
        if row.guest is None:
            continue
        if row.kind not in _MAKING:
            growing[row.guest].append(row)
        elif "plan" in row.params:  # the parent of clones holds their original
            making[row.guest] = row.params["plan"]
    return making, growing


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


def _capacity(guest: Guest, disk: dict[str, Any], places: Volumes) -> int:
    place = places.find(guest.host_id, disk)
    return max(place.capacity_bytes if place else 0, disk["capacity_bytes"] or 0)


def _at_next_start(guests: Iterable[Guest]) -> dict[UUID, tuple[int, int]]:
    """What those that wait for their next start will have then: vCPUs, memory."""
    waiting = [guest.pk for guest in guests if guest.differs]
    found = {}
    rows = Document.objects.filter(pk__in=waiting) if waiting else ()
    for row in rows:
        try:
            doc = Domain.parse(row.inactive_xml, recover=True)
        except Invalid:
            continue
        memory = doc.current_memory or doc.memory or 0
        found[row.pk] = (doc.vcpus_current or doc.vcpus or 0, memory)
    return found
