"""Another size for a guest, approved by somebody who decides about it."""

from dataclasses import dataclass

from django.db import transaction

from guests import charging
from guests.hardware import checks, disks
from guests.hardware.device_wishes import DiskChange
from guests.hardware.wishes import NOW, Hardware
from guests.models import Guest
from guests.queries import Volumes
from guests.services import need_changeable, submit_for
from kvmweb.accounts.models import User
from kvmweb.errors import Conflict
from kvmweb.operations.models import Operation


@dataclass(frozen=True, slots=True)
class MainDisk:
    """The disk that people mean when they speak of a guest's disk."""

    target: str
    capacity_bytes: int


def main_disk(guest: Guest) -> MainDisk | None:
    """The first disk it writes to, if a pool knows its volume. One query."""
    places = Volumes([guest])
    for disk in guest.disks:
        if disk["device"] == "disk" and not disk["readonly"]:
            place = places.find(guest.host_id, disk)
            return MainDisk(disk["target"], place.capacity_bytes) if place else None
    return None


def order(
    guest: Guest,
    vcpus: int,
    memory_bytes: int,
    *,
    by: User,
    address: str = "",
    granted: str,
) -> Operation:
    """Give it the size that was approved ("request:7"), whatever rights `by` has.

    Now where its host can, else at its next start. Raises Invalid for a size it cannot
    have, Conflict when it cannot be changed now or its quota does not allow it.
    """
    wish = Hardware(vcpus=vcpus, memory_bytes=memory_bytes)
    need_changeable(guest, by)
    params = checks.possible(guest, wish) | {"when": NOW, "granted": granted}
    more = charging.Size(vcpus - guest.vcpus, memory_bytes - guest.memory_bytes)
    with transaction.atomic():
        if more != charging.Size():
            charging.growing(guest, more)
        return submit_for("guest.change", guest, by, address, params)


def grow(
    guest: Guest, disk_bytes: int, *, by: User, address: str = "", granted: str
) -> Operation:
    """Grow its main disk to what was approved. Raises as `disks.change`."""
    disk = main_disk(guest)
    if disk is None:
        raise Conflict(f"No pool knows the disk of {guest.name}; it cannot grow.")
    return disks.change(
        guest,
        disk.target,
        DiskChange(size_bytes=disk_bytes),
        when=NOW,
        by=by,
        address=address,
        granted=granted,
    )
