"""A guest's document made into another guest's: everything that must be its own is."""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from string import ascii_lowercase
from uuid import UUID

from kvmweb.virt.xml.devices import (
    Channel,
    Controller,
    Disk,
    Graphics,
    GuardedScreen,
    Nic,
)
from kvmweb.virt.xml.document import Flag, Int, Many, Node, Text
from kvmweb.virt.xml.domain import Domain

_OVER = "1970-01-01T00:00:01"
_QEMU = "{http://libvirt.org/schemas/domain/qemu/1.0}"


class Vsock(Node):
    tag = "vsock"
    auto = Flag("cid/@auto")
    cid = Int("cid/@address")


class Entry(Node):
    tag = "entry"
    name = Text("@name")
    value = Text(".")


class _Port(Node):
    """A serial port or the like, and what it leads to on the host."""

    type = Text("@type")
    path = Text("source/@path")
    host = Text("source/@host")
    service = Text("source/@service")
    mode = Text("source/@mode")
    log = Text("log/@file")


class _Serial(_Port):
    tag = "serial"


class _Console(_Port):
    tag = "console"


class _Parallel(_Port):
    tag = "parallel"


class _Original(Domain):
    """A guest of which another is made."""

    genid = Text("genid")
    has_genid = Flag("genid")
    system = Many(Entry, "sysinfo/system")
    vsocks = Many(Vsock, "devices")
    screens = Many(GuardedScreen, "devices")
    serial_ports = Many(_Serial, "devices")
    console_ports = Many(_Console, "devices")
    parallel_ports = Many(_Parallel, "devices")


@dataclass(frozen=True, slots=True)
class NewDisk:
    """What a disk of the copy is."""

    path: str
    format: str
    kind: str = "file"  # file or block


@dataclass(frozen=True, slots=True)
class Copied:
    """A copy's document, and what is not in it."""

    xml: str
    notes: tuple[str, ...]  # sentences
    macs: tuple[str, ...]


def copied(
    xml: str, *, name: str, uuid: UUID, disks: Mapping[str, NewDisk], title: str
) -> Copied:
    """The document of another guest: this one, with its own name, UUID, MACs, disks, ports.

    `disks` are its own ones, by target; others stay as they are (read-only ones).
    """
    document = _Original.parse(xml)
    document.id = None
    document.name, document.uuid, document.title = name, str(uuid), title
    document.ours = None  # whose it is says our database
    notes = list(_without(document))
    _rename_disks(document, disks)
    macs = _own_macs(document.nics, uuid)
    _own_ports(document)
    if document.os is not None and document.os.nvram:
        document.os.nvram = ""  # libvirt makes one of the template
        notes.append("Its UEFI settings (boot entries, keys) begin anew.")
    if document.tpms:
        notes.append("Its TPM begins empty: what is sealed in the other stays there.")
    return Copied(str(document), tuple(notes), macs)


def raw_options(xml: str) -> bool:
    """Whether the document hands words to QEMU that libvirt does not understand."""
    root = Domain.parse(xml).element
    return any(str(child.tag).startswith(_QEMU) for child in root)


def mac_of(uuid: UUID, number: int) -> str:
    """The address of a guest's card: always the same, and hardly ever another's."""
    digest = hashlib.sha256(f"{uuid}/{number}".encode()).digest()
    return f"52:54:00:{digest[0]:02x}:{digest[1]:02x}:{digest[2]:02x}"


def _without(document: _Original) -> Sequence[str]:
    """Take away what two guests cannot both have; says what."""
    notes = []
    if document.hostdevs:
        document.hostdevs = []
        notes.append("Devices of the host stay with the original.")
    if document.filesystems:
        document.filesystems = []
        notes.append("Directories of the host are not shared with it.")
    for entry in document.system:
        if entry.name in {"uuid", "serial"}:
            document.system.remove(entry)
    if document.has_genid:
        document.genid = ""
    return notes


def _rename_disks(document: _Original, disks: Mapping[str, NewDisk]) -> None:
    for disk in document.disks:
        if disk.target not in disks:
            continue
        new = disks[disk.target]
        disk.pool = disk.volume = disk.file = disk.dev = None
        disk.protocol = disk.source_name = None
        disk.type, disk.format = new.kind, new.format
        if new.kind == "block":
            disk.dev = new.path
        else:
            disk.file = new.path
        disk.wwn = None


def _own_macs(nics: Sequence[Nic], uuid: UUID) -> tuple[str, ...]:
    macs = []
    for number, nic in enumerate(nics):
        nic.mac, nic.target = mac_of(uuid, number), None
        macs.append(nic.mac)
        if nic.filterref is not None:  # addresses that were the original's
            nic.filterref.parameters = []
    return tuple(macs)


def _own_ports(document: _Original) -> None:
    for screen in document.graphics:
        _own_screen(screen)
    for port in (
        *document.serial_ports,
        *document.console_ports,
        *document.parallel_ports,
    ):
        port.log = None
        if port.type not in {"pty", "null", "vc", "stdio"}:
            port.path = port.host = port.service = port.mode = None
            port.type = "pty"
    for channel in document.channels:
        _own_channel(channel)
    for vsock in document.vsocks:
        vsock.auto, vsock.cid = True, None


def _own_screen(screen: Graphics) -> None:
    screen.socket = None
    for listen in screen.listens:
        listen.socket = None
    if screen.type in {"vnc", "spice"}:
        screen.port, screen.tls_port = (-1 if screen.type == "vnc" else None), None
        screen.autoport = True


def _own_channel(channel: Channel) -> None:
    if channel.type == "unix":
        channel.path = None


@dataclass(frozen=True, slots=True)
class Seat:
    """A CD that a copy is given, and which bus fits beside those of its disks."""

    path: str
    bus: Callable[[Collection[str]], str]


def seated(
    xml: str,
    seat: Seat | None,
    *,
    without: Collection[str] = (),
    eject: bool = False,
    password: str = "",
) -> str:
    """The copy's document with its own CD, without the original's, its screen shut.

    `eject` empties the other CD drives: another host has not their images. A screen that
    had a password has this one, which is over before anybody can use it.
    """
    document = _Original.parse(xml)
    for disk in list(document.disks):
        if disk.device == "cdrom" and disk.file in without:
            document.disks.remove(disk)
        elif disk.device in {"cdrom", "floppy"} and eject:
            disk.file = disk.dev = disk.pool = disk.volume = None
    if seat is not None:
        _seat(document, seat)
    for screen in document.screens:
        if screen.password:
            screen.password, screen.valid_to = password, _OVER
    return str(document)


def _seat(document: Domain, seat: Seat) -> None:
    bus = seat.bus([disk.bus for disk in document.disks])
    taken = {disk.target for disk in document.disks}
    target = next(
        f"sd{letter}" for letter in ascii_lowercase if f"sd{letter}" not in taken
    )
    kinds = [(each.type, each.model) for each in document.controllers]
    if bus == "scsi" and "scsi" not in dict(kinds):
        document.controllers.add(Controller.make(type="scsi", model="virtio-scsi"))
    document.disks.add(
        Disk.make(
            type="file",
            device="cdrom",
            driver="qemu",
            format="raw",
            file=seat.path,
            target=target,
            bus=bus,
            readonly=True,
        )
    )
