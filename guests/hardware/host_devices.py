"""What a person can ask of a host's devices for a guest: decide, write it down, return."""

from dataclasses import dataclass
from typing import Any

from guests.creation import devices
from guests.creation.parts import Given
from guests.hardware import choosing
from guests.hardware.parts import find_hostdev, hostdev_key
from guests.models import Document, Guest
from guests.services import need_changeable, submit_for
from hosts.models import HostDevice
from kvmweb.accounts.gate import Right, need
from kvmweb.accounts.models import User
from kvmweb.errors import Conflict, NotFound
from kvmweb.operations.models import Operation
from kvmweb.virt.types import DomainState
from kvmweb.virt.xml.devices import Hostdev
from kvmweb.virt.xml.domain import Domain


@dataclass(frozen=True, slots=True)
class Offer:
    """A device of its host, and whether this guest or another one has it."""

    device: HostDevice
    given: bool
    users: tuple[str, ...]  # names of other guests


def offers(guest: Guest) -> list[Offer]:
    """Every device of its host by name. Three queries."""
    if guest.host is None:
        return []
    mine = choosing.documents(guest)
    users = _users(guest)
    found = []
    for device in HostDevice.objects.filter(host=guest.host).order_by("kind", "name"):
        element = devices.hostdev(given(device))
        has = any(find_hostdev(doc, element) is not None for doc in mine)
        others = users.get(hostdev_key(element), ())
        found.append(Offer(device, has, tuple(dict.fromkeys(others))))
    return found


def add(
    guest: Guest, word: str, *, when: str, by: User, address: str = ""
) -> Operation:
    """Give it a device of its host: a PCI device is taken from the host meanwhile.

    Raises Invalid when there is none, Conflict when another guest has it.
    """
    need(by, Right.HOST_DEVICES)
    need_changeable(guest, by)
    device = choosing.device(guest, word)
    element = devices.hostdev(given(device))
    if others := _users(guest).get(hostdev_key(element)):
        raise Conflict(
            f"{device} is given to {', '.join(sorted(set(others)))} already."
        )
    params = _params(device, when)
    return submit_for("guest.device-add", guest, by, address, params)


def remove(
    guest: Guest, word: str, *, when: str, by: User, address: str = ""
) -> Operation:
    """Take it back. Raises NotFound when the guest does not have it."""
    need(by, Right.HOST_DEVICES)
    need_changeable(guest, by)
    rows = HostDevice.objects.filter(host=choosing.home(guest), name=word)
    device = rows.first()
    element = devices.hostdev(given(device)) if device else None
    docs = choosing.documents(guest)
    if not device or not any(_has(doc, element) for doc in docs):
        raise NotFound(f"{guest.name} has no device {word[:64]!r} of its host.")
    params = _params(device, when)
    return submit_for("guest.device-remove", guest, by, address, params)


def given(device: HostDevice) -> Given:
    """The device as a guest's document names it."""
    place = device.address if device.kind == "pci" else {}
    return Given(
        kind=device.kind,
        vendor_id=device.vendor_id,
        product_id=device.product_id,
        **{
            name: place[name] for name in ("domain", "bus", "slot", "function") if place
        },
    )


def _params(device: HostDevice, when: str) -> dict[str, Any]:
    part = given(device)
    told = {name: getattr(part, name) for name in Given.__slots__}
    return {"device": device.name, "words": str(device), "given": told, "when": when}


def _has(doc: Domain, element: Hostdev | None) -> bool:
    return element is not None and find_hostdev(doc, element) is not None


def _users(guest: Guest) -> dict[tuple[object, ...], list[str]]:
    """Which other guests of its host have which of its devices."""
    rows = Document.objects.filter(guest__host=guest.host).exclude(pk=guest.pk)
    rows = rows.exclude(guest__state=DomainState.GONE)
    rows = rows.filter(inactive_xml__contains="<hostdev") | rows.filter(
        xml__contains="<hostdev"
    )
    found: dict[tuple[object, ...], list[str]] = {}
    for row in rows.select_related("guest"):
        for text in filter(None, (row.xml, row.inactive_xml)):
            for each in Domain.parse(text, recover=True).hostdevs:
                found.setdefault(hostdev_key(each), []).append(row.guest.name)
    return found
