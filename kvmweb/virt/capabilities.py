"""What a host can give to guests and pools. What it cannot say is empty, never a guess."""

import re
from collections.abc import Iterable
from typing import TypeVar

import libvirt

from kvmweb.errors import Invalid
from kvmweb.virt.abilities import HostCapabilities
from kvmweb.virt.connection import CHANGE_S, verb
from kvmweb.virt.reading import asked
from kvmweb.virt.xml.abilities import Choice, DomainCapabilities, PoolCapabilities
from kvmweb.virt.xml.capabilities import Capabilities, Guest
from kvmweb.virt.xml.document import Node

N = TypeVar("N", bound=Node)

_MACHINES = {"x86_64": "q35", "i686": "q35"}  # of the others libvirt's own choice
_WITH_BIOS = ("x86_64", "i686")
_TYPES = ("kvm", "qemu")  # the first that is offered
_DIGITS = re.compile(r"\d+")


@verb(deadline_s=CHANGE_S)
def look(conn: libvirt.virConnect) -> HostCapabilities:
    """What this host can do by its best way to run guests of its own architecture.

    The first time libvirt may try its QEMU for seconds: ask once and keep it.
    Raises HostUnreachable.
    """
    told = _document(Capabilities, asked("", conn.getCapabilities))
    guest = _own(told)
    virt_type = _best(guest)
    machine = _MACHINES.get(told.arch, "")
    domain = _document(
        DomainCapabilities,
        asked(
            "",
            conn.getDomainCapabilities,
            None,
            told.arch or None,
            machine or None,
            virt_type or None,
            0,
        ),
    )
    pools = _document(PoolCapabilities, asked("", conn.getStoragePoolCapabilities, 0))
    return HostCapabilities(
        virt_type=virt_type,
        pool_types=tuple(each.type for each in pools.kinds if each.supported),
        machines=_machines(guest, machine),
        cpu_models=_cpu_models(conn, told.arch, domain),
        cpu_modes=tuple(each.name for each in domain.cpu_modes if each.supported),
        host_cpu=_host_cpu(domain) or told.cpu_model,
        firmware=_firmware(told.arch, domain),
        tpm="emulator" in _words(domain.tpms, "backendModel") and domain.tpm,
        virtiofs="virtiofs" in _words(domain.file_systems, "driverType"),
        max_vcpus=max(domain.max_vcpus or 0, 0),
        hugepages=_hugepages(told),
        disk_buses=_words(domain.disks, "bus"),
        screens=_words(domain.screens, "type"),
        videos=_words(domain.videos, "modelType"),
    )


def _document(kind: type[N], text: str) -> N:
    try:
        return kind.parse(text)
    except Invalid:
        return kind.make()


def _own(told: Capabilities) -> Guest | None:
    """What is said of guests of the host's own architecture."""
    guests = [each for each in told.guests if each.arch == told.arch]
    return next((each for each in guests if each.os_type == "hvm"), None)


def _best(guest: Guest | None) -> str:
    offered = [each.type for each in guest.virt_types] if guest else []
    return next((each for each in _TYPES if each in offered), "")


def _machines(guest: Guest | None, first: str) -> tuple[str, ...]:
    """The preferred one, names that libvirt keeps up to date, then versions, new first."""
    found = list(guest.machines) if guest else []
    found.sort(key=lambda each: _DIGITS.sub(_padded, each.name), reverse=True)
    found.sort(key=lambda each: (each.name != first, not each.canonical))
    return tuple(dict.fromkeys(each.name for each in found))


def _padded(digits: re.Match[str]) -> str:
    return digits[0].zfill(6)


def _cpu_models(
    conn: libvirt.virConnect, arch: str, domain: DomainCapabilities
) -> tuple[str, ...]:
    """The models that can run there; where nobody says, all that libvirt knows."""
    usable = {
        model.name
        for mode in domain.cpu_modes
        if mode.name == "custom"
        for model in mode.models
        if model.usable
    }
    known: list[str] = []
    if arch and not usable:
        known = asked([], conn.getCPUModelNames, arch, 0)
    return tuple(sorted(usable or known, key=str.lower))


def _host_cpu(domain: DomainCapabilities) -> str:
    """The model that "host-model" comes down to."""
    for mode in domain.cpu_modes:
        if mode.name == "host-model" and mode.supported:
            return next((each.name for each in mode.models), "")
    return ""


def _firmware(arch: str, domain: DomainCapabilities) -> tuple[str, ...]:
    found = ["bios"] if arch in _WITH_BIOS else []
    if "efi" in _words(domain.firmwares, "firmware"):
        found.append("uefi")
        if domain.loader and "yes" in _words(domain.loaders, "secure"):
            found.append("uefi-secure")
    return tuple(found)


def _hugepages(told: Capabilities) -> tuple[int, ...]:
    """The sizes of which the host has pages set aside, in bytes; not its plain pages."""
    every = [pages for cell in told.cells for pages in cell.pages]
    plain = min((each.size or 0 for each in every), default=0)
    return tuple(
        sorted({p.size for p in every if p.size and p.size > plain and p.count})
    )


def _words(choices: Iterable[Choice], name: str) -> tuple[str, ...]:
    return tuple(
        word for each in choices if each.name == name for word in each.words if word
    )
