"""What guests take up, in rows: now, or once what is under way on them is done.

A disk counts with its volume's capacity; what is read only, and CDs, do not count.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from guests.charging import Size
from guests.models import Document, Guest
from guests.queries import Volumes
from kvmweb.errors import Invalid
from kvmweb.operations.models import Operation
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
Growing = dict[UUID, list[Operation]]


def of(guest: Guest) -> Size:
    """What it takes up, or will once what is under way is done."""
    return of_all([guest])[guest.pk]


def of_all(
    guests: Collection[Guest], growing: Growing | None = None
) -> dict[UUID, Size]:
    """What each takes up, or will once what is under way is done."""
    growing = operations()[1] if growing is None else growing
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


def settled(guest: Guest) -> Size:
    """What it takes up, but for the operation that is under way on it."""
    ended = [it for it in operations()[1].get(guest.pk, ()) if not it.active]
    return of_all([guest], {guest.pk: ended})[guest.pk]


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


def operations() -> tuple[dict[UUID, dict[str, Any]], Growing]:
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
