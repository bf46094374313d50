"""The devices of a new guest as they will stand in its document. Pure values."""

from dataclasses import dataclass, field

from guests.creation.wanted import Limits


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk or CD as the guest will see it. Its content is at `path` by then."""

    path: str  # "": an empty CD drive
    format: str = "qcow2"
    device: str = "disk"  # disk, cdrom
    bus: str = "virtio"
    block: bool = False  # the path is a device of the host, not a file
    cache: str = ""
    io: str = ""
    discard: bool = True
    limits: Limits = field(default_factory=Limits)
    backing_path: str = ""  # of a disk that stands on another one
    backing_format: str = ""


@dataclass(frozen=True, slots=True)
class Nic:
    """A network card."""

    network: str = ""
    bridge: str = ""
    model: str = "virtio"
    mac: str = ""
    filter: str = ""
    inbound_kib_s: int = 0
    outbound_kib_s: int = 0


@dataclass(frozen=True, slots=True)
class Given:
    """A device of the host that the guest gets: USB by its ids, PCI by its place."""

    kind: str  # usb, pci
    vendor_id: str = ""
    product_id: str = ""
    domain: int = 0
    bus: int = 0
    slot: int = 0
    function: int = 0


@dataclass(frozen=True, slots=True)
class Screen:
    """Where its screen listens. With a password nobody knows, tickets alone open it."""

    kind: str = "vnc"  # vnc, none
    listen: str = "127.0.0.1"
    guarded: bool = False  # it begins with a password; see `devices.graphics`
