"""Edits of a domain's document: one field at a time, and nothing else. Pure.

Each edit may be made twice: what is so already stays as it is.
"""

import secrets
import string
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

from guests.hardware.differences import changes_between
from guests.hardware.parts import (
    N,
    Seat,
    bootable,
    copied,
    drop_vcpu_list,
    find_disk,
    find_nic,
    source_of,
)
from guests.hardware.wishes import Hardware
from kvmweb.errors import Conflict, Invalid
from kvmweb.virt.xml.devices import Controller, Disk, Nic
from kvmweb.virt.xml.document import Flag, Node, number
from kvmweb.virt.xml.domain import OS, Domain, Feature

__all__ = ["Edit", "apply", "changes_between"]

Edit = Callable[[Domain], None]

_PREFIXES = {"virtio": "vd", "ide": "hd", "fdc": "fd"}  # else sd
HOT = frozenset({"virtio", "scsi", "usb"})  # buses that take disks while they run
_OWN_CPU = ("host-model", "host-passthrough", "maximum")


class _Machine(Node):
    """A domain's os, to take its features out with the element that holds them."""

    features = Flag("firmware")


def apply(doc: Domain, wish: Hardware) -> None:
    """Make the document say what is wished. Raises Invalid where it cannot."""
    if wish.vcpus is not None or wish.vcpus_max is not None:
        set_vcpus(doc, wish.vcpus, wish.vcpus_max)
    if wish.memory_bytes is not None or wish.memory_max_bytes is not None:
        set_memory(doc, wish.memory_bytes, wish.memory_max_bytes)
    for name, edit in _SINGLE.items():
        value = getattr(wish, name)
        if value is not None:
            edit(doc, value)


def set_vcpus(doc: Domain, count: int | None, maximum: int | None) -> None:
    """So many vCPUs at its start, of at most so many; what is not said stays.

    More than the maximum raises it, and the sockets with it.
    """
    before = doc.vcpus or 1
    now = doc.vcpus_current or before
    count = count if count is not None else min(now, maximum or now)
    maximum = maximum if maximum is not None else max(before, count)
    if maximum != before:
        _need_no_cells(doc, "vcpus", "vCPUs")
        doc.vcpus = maximum
        drop_vcpu_list(doc)
        _fit_topology(doc, maximum)
    if count != (doc.vcpus_current or maximum) or count != now:
        doc.vcpus_current = count if count != maximum else None
        drop_vcpu_list(doc)


def set_memory(doc: Domain, current: int | None, maximum: int | None) -> None:
    """So much memory at its start, of at most so much, in bytes."""
    before = doc.memory or 0
    now = doc.current_memory or before
    current = current if current is not None else min(now, maximum or now)
    maximum = maximum if maximum is not None else max(before, current)
    if maximum != before:
        _set_most_memory(doc, maximum)
    if current != (doc.current_memory or maximum):
        doc.current_memory = current


def _set_most_memory(doc: Domain, maximum: int) -> None:
    cells = list(doc.numa_cells)
    if len(cells) > 1:
        _need_no_cells(doc, "memory_max_bytes", "memory")
    if cells:
        modules = sum(each.size or 0 for each in doc.memory_devices)
        cells[0].unit = "KiB"
        cells[0].memory = max(0, maximum - modules) // 1024
    doc.memory = maximum
    if doc.max_memory is not None and doc.max_memory < maximum:
        doc.max_memory = maximum


def set_cpu(doc: Domain, cpu: str) -> None:
    """The processor it sees: like its host's, or a model by name; "" is QEMU's own."""
    if cpu == (doc.cpu_model or doc.cpu_mode):
        return
    doc.cpu_check = doc.cpu_fallback = doc.cpu_migratable = None
    if cpu in _OWN_CPU or not cpu:
        doc.cpu_match = doc.cpu_model = None
        doc.cpu_mode = cpu or None
    else:
        doc.cpu_mode, doc.cpu_match, doc.cpu_model = "custom", "exact", cpu


def set_topology(doc: Domain, topology: tuple[int, int, int]) -> None:
    """Sockets, cores in each, threads of each; together as many as it has vCPUs."""
    sockets, cores, threads = topology
    if sockets * cores * threads != doc.vcpus:
        sentence = (
            f"{sockets} × {cores} × {threads} is {sockets * cores * threads}, but it has "
            f"at most {doc.vcpus} vCPUs."
        )
        raise Invalid(sentence, errors={"topology": [sentence]})
    if topology == (doc.cpu_sockets, doc.cpu_cores, doc.cpu_threads):
        return
    if doc.cpu_dies is not None:
        doc.cpu_dies = 1
    doc.cpu_sockets, doc.cpu_cores, doc.cpu_threads = topology


def set_firmware(doc: Domain, firmware: str) -> None:
    """What boots it: bios, uefi or uefi-secure; the host chooses the files."""
    machine = doc.os or OS.make()
    machine.loader = machine.nvram = None
    _Machine(machine.element).features = False
    machine.firmware = None if firmware == "bios" else "efi"
    if firmware == "bios":
        return
    secure = firmware == "uefi-secure"
    machine.features.add(Feature.make(enabled=secure, name="enrolled-keys"))
    machine.features.add(Feature.make(enabled=secure, name="secure-boot"))
    if secure:
        doc.smm = True


def set_boot(doc: Domain, names: Iterable[str]) -> None:
    """Boot from these in order: targets of disks, MAC addresses of network cards."""
    devices = bootable(doc)
    wanted = [name.lower() for name in names]
    for name in wanted:
        if name not in devices:
            sentence = f"It has no disk or network card {name[:40]!r} to boot from."
            raise Invalid(sentence, errors={"boot": [sentence]})
    if [name for name in devices if devices[name].boot_order] == wanted:
        return
    for name, device in devices.items():
        order = wanted.index(name) + 1 if name in wanted else None
        if device.boot_order != order:
            device.boot_order = order
    for given in doc.hostdevs:
        given.boot_order = None
    if doc.os and wanted:
        doc.os.boots = []  # libvirt takes one way of saying it or the other


def set_boot_menu(doc: Domain, wanted: bool) -> None:  # noqa: FBT001  a value as others
    """Whether its firmware offers a menu to boot from."""
    if doc.os and doc.os.boot_menu != wanted:
        doc.os.boot_menu = wanted


def set_os(doc: Domain, system: str) -> None:
    """Which operating system it runs, by osinfo's id; "" when nobody says."""
    if doc.osinfo != system:
        doc.osinfo = system or None


_SINGLE: dict[str, Callable[[Domain, Any], None]] = {
    "cpu": set_cpu,
    "topology": set_topology,
    "firmware": set_firmware,
    "boot": set_boot,
    "boot_menu": set_boot_menu,
    "os": set_os,
}


def add_disk(doc: Domain, disk: Disk) -> None:
    """Give it this disk. Raises Conflict when its target is another one's."""
    there = find_disk(doc, disk.target)
    if there is None:
        if disk.bus == "scsi" and not scsi(doc):
            doc.controllers.add(scsi_controller())
        doc.disks.add(copied(disk))
    elif source_of(there) != source_of(disk):
        raise Conflict(f"{doc.name} has another disk {disk.target} by now.")


def add_nic(doc: Domain, nic: Nic) -> None:
    """Give it this network card."""
    if find_nic(doc, nic.mac) is None:
        doc.nics.add(copied(nic))


def scsi(doc: Domain) -> bool:
    """Whether it has a SCSI controller."""
    return any(each.type == "scsi" for each in doc.controllers)


def scsi_controller() -> Controller:
    """The one that modern guests have a driver for."""
    return Controller.make(type="scsi", index=0, model="virtio-scsi")


def default_bus(docs: Collection[Domain]) -> str:
    """The bus of its other disks; else virtio, as fast as it gets."""
    buses = [it.bus for doc in docs for it in doc.disks if it.device in {"disk", ""}]
    return next((bus for bus in buses if bus), "virtio")


def cd_bus(doc: Domain) -> str:
    """The bus a CD drive fits on."""
    return "sata" if "q35" in (doc.os.machine if doc.os else "") else "ide"


def free_target(docs: Collection[Domain], bus: str) -> str:
    """The next name for a disk on this bus, free in all of these documents."""
    prefix = _PREFIXES.get(bus, "sd")
    taken = {each.target for doc in docs for each in doc.disks}
    return next(name for name in _names(prefix) if name not in taken)


def free_mac(taken: Collection[str] = ()) -> str:
    """A MAC address of QEMU's own range that is not one of these."""
    while True:
        rest = ":".join(f"{byte:02x}" for byte in secrets.token_bytes(3))
        if (mac := f"52:54:00:{rest}") not in taken:
            return mac


def seated(device: N, like: Node, doc: Domain) -> N:
    """The device where the other one sits, if that seat is free in this document.

    So what was plugged in while it ran is found at the same place after its next start.
    """
    address = Seat(like.element).address
    copy = copied(device)
    if address is None or address.type != "pci" or str(address) in _seats(doc):
        return copy
    buses = {each.index for each in doc.controllers if each.type == "pci"}
    if number(address.bus) in buses:
        Seat(copy.element).address = copied(address)
    return copy


def _seats(doc: Domain) -> set[str]:
    kinds: tuple[Iterable[Node], ...] = (
        *(doc.disks, doc.nics, doc.controllers, doc.hostdevs, doc.videos, doc.rngs),
        *(doc.sounds, doc.watchdogs, doc.filesystems, doc.inputs, doc.serials),
    )
    found = (Seat(each.element).address for kind in kinds for each in kind)
    return {str(each).strip() for each in found if each is not None}


def _names(prefix: str) -> Iterator[str]:
    letters = string.ascii_lowercase
    yield from (f"{prefix}{letter}" for letter in letters)
    yield from (f"{prefix}{first}{second}" for first in letters for second in letters)
    raise Conflict("It has more disks than a guest can have.")


def _fit_topology(doc: Domain, vcpus: int) -> None:
    """Sockets as many as it takes; one core to each where the old shape does not fit."""
    if doc.cpu_sockets is None:
        return
    each = (doc.cpu_dies or 1) * (doc.cpu_cores or 1) * (doc.cpu_threads or 1)
    if vcpus % each == 0:
        doc.cpu_sockets = vcpus // each
        return
    doc.cpu_sockets, doc.cpu_cores, doc.cpu_threads = 1, vcpus, 1
    if doc.cpu_dies is not None:
        doc.cpu_dies = 1


def _need_no_cells(doc: Domain, field: str, word: str) -> None:
    if len(doc.numa_cells):
        sentence = f"Its NUMA cells share out its {word}: change both in its XML."
        raise Invalid(sentence, errors={field: [sentence]})
