"""Facts from a domain's documents. Whatever libvirt accepts can be read.

What a document does not say is empty or 0; one that cannot be understood gives facts with
a `problem`. Nothing here calls a host, and nothing raises.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import libvirt

from kvmweb.errors import Invalid
from kvmweb.virt.types import (
    AddressFacts,
    DiskFacts,
    DomainFacts,
    DomainState,
    GraphicsFacts,
    NicFacts,
)
from kvmweb.virt.xml.devices import Disk, Graphics, Nic
from kvmweb.virt.xml.document import INT64_MAX
from kvmweb.virt.xml.domain import AGENT, OS, Domain

Addresses = Mapping[str, tuple[AddressFacts, ...]]  # by MAC address, in lower case

_STATES = {
    libvirt.VIR_DOMAIN_RUNNING: DomainState.RUNNING,
    libvirt.VIR_DOMAIN_BLOCKED: DomainState.RUNNING,  # Xen's idle
    libvirt.VIR_DOMAIN_PAUSED: DomainState.PAUSED,
    libvirt.VIR_DOMAIN_SHUTDOWN: DomainState.SHUTTING_DOWN,
    libvirt.VIR_DOMAIN_SHUTOFF: DomainState.SHUTOFF,
    libvirt.VIR_DOMAIN_CRASHED: DomainState.CRASHED,
    libvirt.VIR_DOMAIN_PMSUSPENDED: DomainState.SUSPENDED,
}


def _reasons() -> dict[int, dict[int, str]]:
    """Words of libvirt for why a domain is in a state, by state and number."""
    words = {}
    for name in ("RUNNING", "PAUSED", "SHUTDOWN", "SHUTOFF", "CRASHED", "PMSUSPENDED"):
        prefix = f"VIR_DOMAIN_{name}_"
        words[getattr(libvirt, f"VIR_DOMAIN_{name}")] = {
            value: constant.removeprefix(prefix).lower().replace("_", " ")
            for constant, value in vars(libvirt).items()
            if constant.startswith(prefix) and value and not constant.endswith("_LAST")
        }
    return words


_REASONS = _reasons()


@dataclass(frozen=True, slots=True)
class Status:
    """What libvirt says of a domain beside its documents."""

    uuid: UUID
    name: str
    state: int = libvirt.VIR_DOMAIN_NOSTATE
    reason: int = 0
    persistent: bool = True
    autostart: bool = False
    managed_save: bool = False
    snapshots: int = 0
    started_at: datetime | None = None

    @property
    def active(self) -> bool:
        """Whether the document may differ from the one it starts with next."""
        return self.state not in (
            libvirt.VIR_DOMAIN_NOSTATE,
            libvirt.VIR_DOMAIN_SHUTOFF,
            libvirt.VIR_DOMAIN_CRASHED,
        )


def facts_of_xml(
    xml: str,
    inactive_xml: str,
    status: Status,
    *,
    addresses: Addresses | None = None,
    problem: str = "",
) -> DomainFacts:
    """Facts from a domain's documents; never raises, whatever they hold.

    `problem` is why there is no document.
    """
    doc, unread = _understood(xml)
    machine = doc.os or OS.make()
    state, reason = state_of(status.state, status.reason)
    vcpus_max = _within(doc.vcpus, default=1)
    memory_max = _within(doc.memory)
    return DomainFacts(
        uuid=status.uuid,
        name=doc.name
        or status.name,  # a handle keeps its name when the guest is renamed
        state=state,
        reason=reason,
        persistent=status.persistent,
        autostart=status.autostart,
        managed_save=status.managed_save,
        vcpus=_within(doc.vcpus_current, default=vcpus_max),
        vcpus_max=vcpus_max,
        memory_bytes=_within(doc.current_memory, default=memory_max),
        memory_max_bytes=memory_max,
        virt_type=doc.type,
        os=doc.osinfo or machine.type.strip(),
        firmware=firmware_of(machine),
        machine=machine.machine,
        arch=machine.arch,
        title=doc.title,
        description=doc.description,
        disks=_unique(_disk(each) for each in doc.disks),
        nics=tuple(_nic(each, addresses or {}) for each in doc.nics),
        graphics=tuple(_graphics(each) for each in doc.graphics),
        serial=_serial(doc),
        agent=_agent(doc),
        snapshots=status.snapshots,
        xml=xml,
        inactive_xml=inactive_xml,
        started_at=status.started_at,
        problem=problem or unread,
    )


def with_addresses(facts: DomainFacts, addresses: Addresses) -> DomainFacts:
    """The same facts with these addresses on its network cards."""
    nics = tuple(
        replace(each, addresses=addresses.get(each.mac.lower(), ()))
        for each in facts.nics
    )
    return facts if nics == facts.nics else replace(facts, nics=nics)


def refreshed(before: DomainFacts, inactive_xml: str, status: Status) -> DomainFacts:
    """The facts of an unchanged document, with what libvirt says beside it now."""
    state, reason = state_of(status.state, status.reason)
    return replace(
        before,
        state=state,
        reason=reason,
        persistent=status.persistent,
        autostart=status.autostart,
        managed_save=status.managed_save,
        snapshots=status.snapshots,
        inactive_xml=inactive_xml,
        started_at=status.started_at,
    )


def merged(*sources: Addresses) -> Addresses:
    """Addresses of several sources, each address once, as the first source tells it."""
    found: dict[str, dict[str, AddressFacts]] = {}
    for source in sources:
        for mac, addresses in source.items():
            for each in addresses:
                found.setdefault(mac, {}).setdefault(each.address, each)
    return {mac: tuple(each.values()) for mac, each in found.items()}


def state_of(state: int, reason: int) -> tuple[DomainState, str]:
    """Our state for libvirt's, and libvirt's word for why."""
    word = _REASONS.get(state, {}).get(reason, "")
    if state == libvirt.VIR_DOMAIN_SHUTOFF and word == "crashed":
        return DomainState.CRASHED, word  # QEMU died; libvirt calls that shut off
    return _STATES.get(state, DomainState.UNKNOWN), word


def _understood(xml: str) -> tuple[Domain, str]:
    """The document, or as much of it as can be read, and what was wrong with it."""
    try:
        return Domain.parse(xml), ""
    except Invalid as error:
        problem = error.detail
    try:
        return Domain.parse(xml, recover=True), problem
    except Invalid:
        return Domain.make(), problem


def _within(value: int | None, default: int = 0) -> int:
    """A number that a database column can hold."""
    return default if value is None else max(0, min(value, INT64_MAX))


def firmware_of(machine: OS) -> str:
    """bios, uefi or uefi-secure."""
    uefi = machine.firmware == "efi" or machine.loader_type == "pflash"
    secure = machine.loader_secure or any(
        each.name == "secure-boot" and each.enabled for each in machine.features
    )
    return ("uefi-secure" if secure else "uefi") if uefi else "bios"


def _disk(disk: Disk) -> DiskFacts:
    return DiskFacts(
        target=disk.target,
        device=disk.device or "disk",
        bus=disk.bus,
        kind=disk.type or "file",
        path=disk.file or disk.dev or disk.dir,
        pool=disk.pool,
        volume=disk.volume,
        format=disk.format,
        readonly=disk.readonly or disk.device == "cdrom",
        shareable=disk.shareable,
    )


def _unique(disks: Iterable[DiskFacts]) -> tuple[DiskFacts, ...]:
    """Disks under different targets, though some drivers let two have the same."""
    seen: dict[str, DiskFacts] = {}
    for disk in disks:
        target, turn = disk.target, 2
        while target in seen:
            target, turn = f"{disk.target}#{turn}", turn + 1
        seen[target] = replace(disk, target=target)
    return tuple(seen.values())


def _nic(nic: Nic, addresses: Addresses) -> NicFacts:
    return NicFacts(
        mac=nic.mac,
        kind=nic.type,
        network=nic.network or nic.bridge or nic.dev or nic.source_name,
        model=nic.model,
        target=nic.target,
        link_up=nic.link != "down",
        addresses=addresses.get(nic.mac.lower(), ()),
    )


def _graphics(graphics: Graphics) -> GraphicsFacts:
    port = graphics.port or graphics.tls_port or 0
    listens = list(graphics.listens)
    sockets = [each.socket for each in listens if each.socket]
    told = [each.address or each.network for each in listens]
    return GraphicsFacts(
        kind=graphics.type,
        port=port if 0 < port < 65536 else None,
        socket=graphics.socket or next(iter(sockets), ""),
        listen=graphics.listen or next(iter(filter(None, told)), ""),
    )


def _serial(doc: Domain) -> bool:
    types = [each.type for each in doc.serials] + [each.type for each in doc.consoles]
    return "pty" in types


def _agent(doc: Domain) -> bool | None:
    states = [each.state for each in doc.channels if each.name == AGENT]
    return "connected" in states if states else None
