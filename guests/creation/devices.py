"""The elements of a new guest's devices, each from its part. Pure."""

from collections.abc import Iterable, Sequence

from guests.creation.parts import Disk, Given, Nic, Screen
from guests.creation.wanted import Limits, Share
from kvmweb.virt.xml import devices as xml
from kvmweb.virt.xml.domain import AGENT, Domain

_PORTS = 14  # for what is plugged in later; as many as virt-install leaves free
_OVER = "1970-01-01T00:00:01"  # the first password is over before anybody can use it
_ENTROPY = "/dev/urandom"


def disk(
    part: Disk, target: str, *, order: int | None, iothread: int | None
) -> xml.Disk:
    """A disk or CD drive."""
    made = xml.Disk.make(
        type="block" if part.block else "file",
        device=part.device,
        driver="qemu",
        format=part.format,
    )
    made.cache, made.io = part.cache or None, part.io or None
    made.discard = "unmap" if part.discard and part.device == "disk" else None
    made.iothread = iothread
    if part.block:
        made.dev = part.path
    elif part.path:
        made.file = part.path
    made.target, made.bus = target, part.bus
    if part.device == "cdrom":
        made.readonly = True
    made.boot_order = order
    if part.limits != Limits():
        made.iotune = _iotune(part.limits)
    return made


def _iotune(limits: Limits) -> xml.Iotune:
    given = {name: getattr(limits, name) for name in Limits.__slots__}
    return xml.Iotune.make(**{name: value for name, value in given.items() if value})


def nic(part: Nic, *, order: int | None) -> xml.Nic:
    """A network card."""
    made = xml.Nic.make(type="bridge" if part.bridge else "network")
    made.mac = part.mac or None
    if part.bridge:
        made.bridge = part.bridge
    else:
        made.network = part.network
    made.model = part.model
    if part.filter:
        made.filterref = xml.FilterRef.make(filter=part.filter)
    if part.inbound_kib_s:
        made.inbound = xml.Inbound.make(average=part.inbound_kib_s)
    if part.outbound_kib_s:
        made.outbound = xml.Outbound.make(average=part.outbound_kib_s)
    made.boot_order = order
    return made


def graphics(part: Screen, password: str) -> xml.Graphics:
    """Its screen. A password opens it only once a ticket has set another one."""
    made = xml.GuardedScreen.make(
        type=part.kind, port=-1, autoport=True, listen=part.listen
    )
    if part.guarded:
        made.password, made.valid_to = password, _OVER
    made.listens.add(xml.Listen.make(type="address", address=part.listen))
    return made


def video() -> xml.Video:
    """What every firmware and installer can draw on."""
    return xml.Video.make(model="vga")


def controllers(buses: Iterable[str], *, machine: str) -> list[xml.Controller]:
    """USB 3, what disks on SCSI hang on, and room for what is plugged in later."""
    found = [xml.Controller.make(type="usb", model="qemu-xhci")]
    if "scsi" in buses:
        found.append(xml.Controller.make(type="scsi", index=0, model="virtio-scsi"))
    if "q35" in machine:
        found.append(xml.Controller.make(type="pci", index=0, model="pcie-root"))
        port = {"type": "pci", "model": "pcie-root-port"}
        found += [xml.Controller.make(**port, index=n + 1) for n in range(_PORTS)]
    return found


def furnish(doc: Domain, *, rng: bool, tpm: bool, watchdog: str, tablet: bool) -> None:
    """What every guest has or may have: serial port, agent, pointer, randomness."""
    doc.serials.add(xml.Serial.make(type="pty", port=0))
    doc.consoles.add(xml.Console.make(type="pty", target_type="serial", port=0))
    doc.channels.add(xml.Channel.make(type="unix", target_type="virtio", name=AGENT))
    if tablet:
        doc.inputs.add(xml.Input.make(type="tablet", bus="usb"))
    if rng:
        doc.rngs.add(
            xml.Rng.make(model="virtio", backend=_ENTROPY, backend_model="random")
        )
    if tpm:
        doc.tpms.add(xml.Tpm.make(model="tpm-crb", backend="emulator", version="2.0"))
    if watchdog:
        doc.watchdogs.add(xml.Watchdog.make(model="i6300esb", action=watchdog))


def hostdev(part: Given) -> xml.Hostdev:
    """A device of the host."""
    made = xml.Hostdev.make(mode="subsystem", type=part.kind, managed=True)
    if part.kind == "usb":
        made.vendor, made.product = part.vendor_id, part.product_id
        return made
    made.address = xml.PciAddress.make(
        domain=f"0x{part.domain:04x}",
        bus=f"0x{part.bus:02x}",
        slot=f"0x{part.slot:02x}",
        function=f"0x{part.function:x}",
    )
    return made


def filesystem(part: Share) -> xml.Filesystem:
    """A directory of the host."""
    return xml.Filesystem.make(
        type="mount",
        accessmode="passthrough",
        driver="virtiofs",
        source=part.path,
        target=part.tag,
    )


def targets(buses: Sequence[str]) -> list[str]:
    """The names of disks on these buses: "vda", "vdb", "sda"; never one twice."""
    counts: dict[str, int] = {}
    names = []
    for bus in buses:
        prefix = "vd" if bus == "virtio" else "sd"
        number = counts.get(prefix, 0)
        counts[prefix] = number + 1
        names.append(f"{prefix}{chr(ord('a') + number)}")
    return names
