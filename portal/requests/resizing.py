"""Another size of a machine: what it means, what it grows by, how it comes true.

Processors and memory are one operation, the disk is another that follows it; what the
second one needs of the quota stays reserved until then.
"""

from dataclasses import dataclass

from guests import sizing
from guests.creation.wanted import (
    DISK_MOST,
    MEMORY_LEAST,
    MEMORY_MOST,
    VCPUS_MAX,
    whole_disk,
    whole_memory,
)
from guests.hardware import resizing
from guests.models import Guest
from kvmweb.accounts.models import User
from kvmweb.errors import Conflict, Invalid
from kvmweb.operations.models import Operation
from kvmweb.sizes import amount
from portal.ledger import services as ledger
from portal.ledger.amounts import Amounts
from portal.ledger.charging import amounts_of
from portal.requests.models import Request


@dataclass(frozen=True, slots=True)
class Size:
    """The size a machine is to have."""

    vcpus: int
    memory_bytes: int
    disk_bytes: int = 0  # of its main disk; 0: it stays as it is


def wished(guest: Guest, size: Size) -> Size:
    """The same, found possible; a disk that has this size already stays as it is.

    Raises Invalid naming each part that cannot be, Conflict when nothing would change.
    """
    has = _disk_bytes(guest)
    memory, disk = whole_memory(size.memory_bytes), whole_disk(size.disk_bytes)
    size = Size(size.vcpus, memory, disk)
    errors: dict[str, list[str]] = {}
    if not 1 <= size.vcpus <= VCPUS_MAX:
        errors["vcpus"] = [f"Give a number from 1 to {VCPUS_MAX}."]
    if not MEMORY_LEAST <= size.memory_bytes <= MEMORY_MOST:
        errors["memory_bytes"] = ["A machine has from 4 MiB to 64 TiB of memory."]
    if size.disk_bytes and not has <= size.disk_bytes <= DISK_MOST:
        sentence = f"It has {amount(has)} already; a disk never shrinks."
        errors["disk_bytes"] = [sentence]
    if size.disk_bytes and not has:
        errors["disk_bytes"] = ["It has no disk that could grow here."]
    if errors:
        told = " ".join(each[0] for each in errors.values())
        raise Invalid(told, errors=errors)
    disk_bytes = size.disk_bytes if size.disk_bytes > has else 0
    now = (guest.vcpus, guest.memory_bytes)
    if (size.vcpus, size.memory_bytes) == now and not disk_bytes:
        raise Conflict(f"{guest.name} has that size already.")
    return Size(size.vcpus, size.memory_bytes, disk_bytes)


def growth(request: Request, guest: Guest) -> Amounts:
    """What a machine would take up more than now; no more guests."""
    return Amounts(
        0,
        max(0, request.vcpus - guest.vcpus),
        max(0, request.memory_bytes - guest.memory_bytes),
        _more_disk(request, guest),
    )


def taken(guest: Guest) -> Amounts:
    """What it takes up now, or will once what is under way is done."""
    return amounts_of(sizing.of(guest))


def begin(request: Request, guest: Guest, requester: User) -> Operation:
    """The first operation; from it on the machine itself is charged for what it grows by.

    Raises Conflict when it cannot be changed now or the quota does not allow it.
    """
    now = (guest.vcpus, guest.memory_bytes)
    more = _more_disk(request, guest)
    if more and now == (request.vcpus, request.memory_bytes):
        return grow(request, guest, requester)
    if more:
        ledger.change(request.topic, Amounts(0, 0, 0, more))
    else:
        ledger.release(request.topic)
    return resizing.order(
        guest,
        request.vcpus,
        request.memory_bytes,
        by=requester,
        address=request.address,
        granted=request.topic,
    )


def is_done(request: Request, operation: Operation) -> bool:
    """Whether nothing follows this operation, one of the request's own that succeeded."""
    guest = Guest.objects.filter(pk__in=[operation.guest]).first()
    if guest is None or operation.kind != "guest.change":
        return True
    return not _more_disk(request, guest)


def grow(request: Request, guest: Guest, requester: User) -> Operation:
    """What follows processors and memory, or comes alone. Raises as `begin`."""
    ledger.release(request.topic)
    return resizing.grow(
        guest,
        request.disk_bytes,
        by=requester,
        address=request.address,
        granted=request.topic,
    )


def _more_disk(request: Request, guest: Guest) -> int:
    return max(0, request.disk_bytes - _disk_bytes(guest)) if request.disk_bytes else 0


def _disk_bytes(guest: Guest) -> int:
    disk = resizing.main_disk(guest)
    return disk.capacity_bytes if disk else 0
