"""Finding the parts of a domain's document by what people call them. Pure."""

from typing import TypeVar

from kvmweb.errors import NotFound
from kvmweb.virt.xml.devices import Disk, Hostdev, Nic, PciAddress
from kvmweb.virt.xml.document import Flag, Node, One, number
from kvmweb.virt.xml.domain import Domain

N = TypeVar("N", bound=Node)


class Seat(Node):
    """Any device, to read and set where it sits in the machine."""

    address = One(PciAddress)


class _Lists(Node):
    """A domain, to take a list out with the element that holds it."""

    vcpus = Flag("vcpus")


def drop_vcpu_list(doc: Domain) -> None:
    """Take out the list with a line for each vCPU; libvirt makes it anew."""
    _Lists(doc.element).vcpus = False


def copied(node: N) -> N:
    """The same element once more, in no document."""
    return type(node).parse(str(node))


def boot_order(doc: Domain) -> list[str]:
    """What it boots from, in order, by target and MAC address; else by kind of device."""
    devices = bootable(doc)
    ordered = [name for name in devices if devices[name].boot_order]
    return ordered or [each.dev for each in (doc.os.boots if doc.os else ())]


def bootable(doc: Domain) -> dict[str, Disk | Nic]:
    """All that it could boot from by name, those that have an order first."""
    found: dict[str, Disk | Nic] = {each.target: each for each in doc.disks}
    found |= {each.mac.lower(): each for each in doc.nics}
    order = {name: device.boot_order or 2**31 for name, device in found.items()}
    return {name: found[name] for name in sorted(found, key=order.__getitem__)}


def find_disk(doc: Domain, target: str) -> Disk | None:
    """Its disk of this target."""
    return next((each for each in doc.disks if each.target == target), None)


def find_nic(doc: Domain, mac: str) -> Nic | None:
    """Its network card of this MAC address."""
    wanted = mac.lower()
    return next((each for each in doc.nics if each.mac.lower() == wanted), None)


def find_hostdev(doc: Domain, device: Hostdev) -> Hostdev | None:
    """The same device of the host, if it has it."""
    wanted = hostdev_key(device)
    return next((each for each in doc.hostdevs if hostdev_key(each) == wanted), None)


def hostdev_key(device: Hostdev) -> tuple[object, ...]:
    """What makes it the same device of the host, however numbers are written."""
    place = device.address
    if device.type == "pci" and place:
        parts = (place.domain, place.bus, place.slot, place.function)
        return ("pci", *(number(part) or 0 for part in parts))
    return (
        device.type,
        number(device.vendor) or 0,
        number(device.product) or 0,
        device.usb_bus,
        device.usb_device,
    )


def need_disk(doc: Domain, target: str) -> Disk:
    """Its disk of this target. Raises NotFound."""
    disk = find_disk(doc, target)
    if disk is None:
        raise NotFound(f"{doc.name} has no disk {target[:40]!r}.")
    return disk


def need_nic(doc: Domain, mac: str) -> Nic:
    """Its network card of this MAC address. Raises NotFound."""
    nic = find_nic(doc, mac)
    if nic is None:
        raise NotFound(f"{doc.name} has no network card {mac[:40]!r}.")
    return nic


def source_of(disk: Disk) -> str:
    """What is in the drive: a path, or pool/volume; "" when it is empty."""
    if disk.pool and disk.volume:
        return f"{disk.pool}/{disk.volume}"
    return disk.file or disk.dev or disk.dir or disk.source_name
