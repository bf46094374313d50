"""A new guest as it will stand on its host, and its document. Pure.

    blueprint = Blueprint(uuid=…, name="web", virt_type="kvm", …)
    domain = document(blueprint)

Every number in it was checked by `wanted.Wanted.check`, and the whole document is checked
once more for what a host would die of.
"""

from dataclasses import dataclass, field
from uuid import UUID

from guests.creation import devices
from guests.creation.parts import Disk, Given, Nic, Screen
from guests.creation.wanted import BOOTS, Cpu, Share
from kvmweb.virt.xml.domain import (
    OS,
    Domain,
    Feature,
    Ours,
    Tag,
    Timer,
    check_ranges,
)

MIB = 1024**2
_LOADER_SECURE = "uefi-secure"
_BALLOON_PERIOD_S = 2
_SPINLOCKS = 8191  # what everybody takes


@dataclass(frozen=True, slots=True)
class Blueprint:
    """All of a new guest."""

    uuid: UUID
    name: str
    virt_type: str  # kvm, qemu, test
    vcpus: int
    memory_bytes: int
    arch: str = "x86_64"
    machine: str = "q35"
    title: str = ""
    description: str = ""
    owner: str = ""
    project: str = ""
    tags: tuple[str, ...] = ()
    os: str = ""  # an osinfo id
    windows: bool = False
    firmware: str = "bios"
    cpu: Cpu = field(default_factory=Cpu)
    vcpus_max: int = 0  # 0: as many as it starts with
    memory_max_bytes: int = 0
    balloon: bool = True
    hugepages: bool = False
    iothreads: int = 0
    disks: tuple[Disk, ...] = ()
    nics: tuple[Nic, ...] = ()
    tpm: bool = False
    watchdog: str = ""
    rng: bool = True
    screen: Screen = field(default_factory=Screen)
    boot: tuple[str, ...] = BOOTS
    given: tuple[Given, ...] = ()
    shares: tuple[Share, ...] = ()


def document(blueprint: Blueprint, *, password: str = "") -> Domain:
    """Its document, for `domains.define`; `password` guards its screen.

    Raises Invalid for numbers that a host would die of.
    """
    doc = Domain.make(
        type=blueprint.virt_type, name=blueprint.name, uuid=str(blueprint.uuid)
    )
    _describe(doc, blueprint)
    _size(doc, blueprint)
    doc.os = _boot(blueprint)
    _features(doc, blueprint)
    _cpu(doc, blueprint)
    _clock(doc, windows=blueprint.windows)
    doc.on_poweroff, doc.on_reboot, doc.on_crash = "destroy", "restart", "destroy"
    doc.suspend_to_mem = doc.suspend_to_disk = False
    _devices(doc, blueprint, password)
    check_ranges(doc)
    return doc


def _describe(doc: Domain, blueprint: Blueprint) -> None:
    doc.title = blueprint.title or None
    doc.description = blueprint.description or None
    if blueprint.os:
        doc.osinfo = blueprint.os
    if blueprint.owner or blueprint.tags or blueprint.project:
        told = {"owner": blueprint.owner or None, "project": blueprint.project or None}
        doc.ours = Ours.make(**told)
        for tag in blueprint.tags:
            doc.ours.tags.add(Tag.make(name=tag))


def _size(doc: Domain, blueprint: Blueprint) -> None:
    doc.memory = max(blueprint.memory_bytes, blueprint.memory_max_bytes)
    doc.current_memory = blueprint.memory_bytes
    doc.vcpus = max(blueprint.vcpus, blueprint.vcpus_max)
    if doc.vcpus > blueprint.vcpus:
        doc.vcpus_current = blueprint.vcpus
    if blueprint.hugepages:
        doc.hugepages = True
    if blueprint.shares:  # the host's side of virtiofs reads the guest's memory
        doc.memory_source, doc.memory_access = "memfd", "shared"
    if blueprint.iothreads:
        doc.iothreads = blueprint.iothreads


def _boot(blueprint: Blueprint) -> OS:
    told = OS.make(type="hvm", arch=blueprint.arch)
    if blueprint.virt_type != "test":
        told.machine = blueprint.machine
    if blueprint.firmware == "bios":
        return told
    secure = blueprint.firmware == _LOADER_SECURE
    told.firmware = "efi"
    if secure:
        told.loader_secure = True
    for name in ("secure-boot", "enrolled-keys"):
        told.features.add(Feature.make(enabled=secure, name=name))
    return told


def _features(doc: Domain, blueprint: Blueprint) -> None:
    doc.acpi = True
    if blueprint.arch == "x86_64":
        doc.apic = True
    if blueprint.firmware == _LOADER_SECURE:
        doc.smm = True
    if blueprint.windows and blueprint.virt_type == "kvm":
        doc.hyperv_relaxed = doc.hyperv_vapic = doc.hyperv_spinlocks = True
        doc.hyperv_retries = _SPINLOCKS


def _cpu(doc: Domain, blueprint: Blueprint) -> None:
    cpu = blueprint.cpu
    mode = cpu.mode or ("host-model" if blueprint.virt_type == "kvm" else "")
    if mode in {"named", "baseline"}:
        doc.cpu_mode, doc.cpu_match, doc.cpu_check = "custom", "exact", "partial"
        doc.cpu_model, doc.cpu_fallback = cpu.model, "forbid"
    elif mode:
        doc.cpu_mode = mode
        if mode == "host-passthrough":
            doc.cpu_migratable = "on"
    if cpu.sockets:
        doc.cpu_sockets, doc.cpu_dies = cpu.sockets, 1
        doc.cpu_cores, doc.cpu_threads = cpu.cores, cpu.threads


def _clock(doc: Domain, *, windows: bool) -> None:
    doc.clock = "localtime" if windows else "utc"
    doc.timers.add(Timer.make(name="rtc", tickpolicy="catchup"))
    doc.timers.add(Timer.make(name="pit", tickpolicy="delay"))
    doc.timers.add(Timer.make(name="hpet", present=False))
    if windows and doc.type == "kvm":
        doc.timers.add(Timer.make(name="hypervclock", present=True))


def _devices(doc: Domain, blueprint: Blueprint, password: str) -> None:
    orders = _orders(blueprint)
    buses = [each.bus for each in blueprint.disks]
    if blueprint.virt_type != "test":
        doc.controllers = devices.controllers(buses, machine=blueprint.machine)
    doc.disks = [
        devices.disk(each, target, order=order, iothread=thread)
        for each, target, order, thread in zip(
            blueprint.disks,
            devices.targets(buses),
            orders["disks"],
            _threads(blueprint),
            strict=True,
        )
    ]
    doc.nics = [
        devices.nic(each, order=order)
        for each, order in zip(blueprint.nics, orders["nics"], strict=True)
    ]
    screen = blueprint.screen.kind != "none"
    devices.furnish(
        doc,
        rng=blueprint.rng,
        tpm=blueprint.tpm,
        watchdog=blueprint.watchdog,
        tablet=screen,
    )
    if screen:
        doc.graphics.add(devices.graphics(blueprint.screen, password))
        doc.videos.add(devices.video())
    doc.hostdevs = [devices.hostdev(each) for each in blueprint.given]
    doc.filesystems = [devices.filesystem(each) for each in blueprint.shares]
    doc.balloon = "virtio" if blueprint.balloon else "none"
    if blueprint.balloon:
        doc.balloon_period_s = _BALLOON_PERIOD_S


def _orders(blueprint: Blueprint) -> dict[str, list[int | None]]:
    """The place of each disk and card in the order of booting; None: not from it."""
    kinds = [each.device for each in blueprint.disks]
    disks: list[int | None] = [None] * len(kinds)
    nics: list[int | None] = [None] * len(blueprint.nics)
    count = 0
    for kind in blueprint.boot:
        row = nics if kind == "network" else disks
        for index in range(len(row)):
            if kind == "network" or kinds[index] == kind:
                count += 1
                row[index] = count
    return {"disks": disks, "nics": nics}


def _threads(blueprint: Blueprint) -> list[int | None]:
    """The I/O thread of each disk, in turn; only virtio disks have one."""
    threads: list[int | None] = []
    given = 0
    for disk in blueprint.disks:
        if disk.bus == "virtio" and disk.device == "disk" and blueprint.iothreads:
            threads.append(given % blueprint.iothreads + 1)
            given += 1
        else:
            threads.append(None)
    return threads
