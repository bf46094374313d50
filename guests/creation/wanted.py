"""What somebody asked for: a new guest in their words, every part of it checked. Pure.

Hosts, pools, volumes, images and networks stand here by id or by name, as they were said;
`guests.creation.planning` finds what they mean.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from guests.edits import DESCRIPTION_MAX, TAG, TAGS_MAX, TITLE_MAX
from kvmweb.errors import Invalid

KIB, MIB, GIB, TIB = 1024, 1024**2, 1024**3, 1024**4
NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?")
NAME_WORDS = (
    "A name has up to 63 small letters, digits, dots and dashes, and begins and ends "
    "with a letter or digit."
)
COUNT_MAX = 50
VCPUS_MAX = 1024
MEMORY_LEAST, MEMORY_MOST = 4 * MIB, 64 * TIB
DISK_LEAST, DISK_MOST = MIB, 2**53
DISKS_MAX, NICS_MAX, CDROMS_MAX, DEVICES_MAX = 24, 16, 4, 16
LIMIT_MOST = 2**40  # bytes a second; also operations
SPEED_MOST = 2**31 - 1  # KiB a second

FIRMWARE = ("bios", "uefi", "uefi-secure")
BUSES = ("virtio", "scsi", "sata", "usb")
NIC_MODELS = ("virtio", "e1000e", "e1000", "rtl8139")
FORMATS = ("qcow2", "raw")
CACHES = ("none", "writeback", "writethrough", "directsync", "unsafe")
IO_WAYS = ("native", "threads", "io_uring")
CPU_MODES = ("host-model", "host-passthrough", "maximum", "named", "baseline")
WATCHDOGS = ("reset", "poweroff", "pause", "shutdown", "none")
BOOTS = ("disk", "cdrom", "network")
SCREENS = ("vnc", "none")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._:+-]{0,126}")
_MAC = re.compile(r"[0-9a-f][02468ace](?::[0-9a-f]{2}){5}")
_FOLDER = re.compile(r"/[^\0-\x1f]{0,1000}")
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
Errors = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Cpu:
    """Which processor the guest sees, and in what shape."""

    mode: str = ""  # "": what fits its host
    model: str = ""  # for "named"
    sockets: int | None = None  # all three or none of them
    cores: int | None = None
    threads: int | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What a disk may do; a second, 0 for no limit."""

    total_bytes_s: int = 0
    read_bytes_s: int = 0
    write_bytes_s: int = 0
    total_iops: int = 0
    read_iops: int = 0
    write_iops: int = 0


@dataclass(frozen=True, slots=True)
class WantedDisk:
    """A disk: a blank one, one made of an image, or a volume that is there."""

    size_bytes: int | None = None  # None: as large as what it is made of
    pool: str = ""
    image: str = ""
    volume: str = ""
    bus: str = ""
    format: str = ""
    copy: bool = False  # of an image: a whole copy, not one that stands on it
    cache: str = ""
    io: str = ""
    discard: bool = True
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class WantedNic:
    """A network card on a virtual network, or on a bridge of the host."""

    network: str = ""
    bridge: str = ""
    model: str = ""
    mac: str = ""
    filter: str | None = None  # None: against spoofing where the owner is a user
    inbound_kib_s: int = 0  # 0: no limit
    outbound_kib_s: int = 0


@dataclass(frozen=True, slots=True)
class Share:
    """A directory of the host that the guest sees (virtiofs)."""

    path: str
    tag: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """A new guest, or `count` of them with numbered names."""

    name: str
    vcpus: int
    memory_bytes: int
    host: str = ""
    count: int = 1
    os: str = ""
    firmware: str = ""
    title: str = ""
    description: str = ""
    owner: str = ""
    project: str = ""  # its name or id
    tags: tuple[str, ...] = ()
    on: tuple[str, ...] = ()  # only hosts with one of these tags
    start: bool = True
    autostart: bool = False
    machine: str = "q35"
    cpu: Cpu = field(default_factory=Cpu)
    vcpus_max: int | None = None
    memory_max_bytes: int | None = None
    balloon: bool = True
    hugepages: bool = False
    iothreads: int = 0
    disks: tuple[WantedDisk, ...] = ()
    nics: tuple[WantedNic, ...] = ()
    cdroms: tuple[str, ...] = ()
    tpm: bool | None = None  # None: as the system needs it
    watchdog: str = ""
    rng: bool = True
    screen: str = "vnc"
    boot: tuple[str, ...] = BOOTS
    host_devices: tuple[int, ...] = ()
    shares: tuple[Share, ...] = ()

    def names(self) -> list[str]:
        """The name of each: "web", or "web-01", "web-02" and so on."""
        if self.count == 1:
            return [self.name]
        return [f"{self.name}-{number:02}" for number in range(1, self.count + 1)]

    def check(self) -> None:
        """Nothing. Raises Invalid, which names each part that cannot be."""
        errors: Errors = {}
        for part, sentence in _faults(self):
            errors.setdefault(part, []).append(sentence)
        if errors:
            first = [text for texts in errors.values() for text in texts]
            raise Invalid(" ".join(first[:5]), errors=errors)


Fault = tuple[str, str]  # the part, as the API calls it; what is wrong with it


def _faults(wanted: Wanted) -> Iterator[Fault]:
    for check in _CHECKS:
        yield from check(wanted)
    for number, disk in enumerate(wanted.disks):
        for part, sentence in _of_disk(disk):
            yield f"disks.{number}.{part}", sentence
    for number, nic in enumerate(wanted.nics):
        for part, sentence in _of_nic(nic):
            yield f"nics.{number}.{part}", sentence


def _of_words(wanted: Wanted) -> Iterator[Fault]:
    longest = f"{wanted.name}-{COUNT_MAX}" if wanted.count > 1 else wanted.name
    if not NAME.fullmatch(wanted.name) or not NAME.fullmatch(longest):
        yield "name", NAME_WORDS
    for part, said, most in (
        ("title", wanted.title, TITLE_MAX),
        ("description", wanted.description, DESCRIPTION_MAX),
    ):
        if len(said) > most:
            yield part, f"Use at most {most} characters."
        if _NOT_XML.search(said):
            yield part, "It has a character that no document can hold."
    if "\n" in wanted.title or "\r" in wanted.title:
        yield "title", "A title is one line."


def _of_tags(wanted: Wanted) -> Iterator[Fault]:
    if len(wanted.tags) > TAGS_MAX:
        yield "tags", f"Use at most {TAGS_MAX} tags."
    for tag in wanted.tags:
        if not TAG.fullmatch(tag):
            yield "tags", f"{tag[:40]!r} is no tag: small letters, digits and dashes."


def _of_size(wanted: Wanted) -> Iterator[Fault]:
    yield from _between("count", wanted.count, 1, COUNT_MAX)
    yield from _between("vcpus", wanted.vcpus, 1, VCPUS_MAX)
    yield from _amount("memory_bytes", wanted.memory_bytes, MEMORY_LEAST, MEMORY_MOST)
    yield from _between("iothreads", wanted.iothreads, 0, 64)
    if wanted.vcpus_max is not None:
        low = max(1, wanted.vcpus)
        yield from _between("vcpus_max", wanted.vcpus_max, low, VCPUS_MAX)
    if wanted.memory_max_bytes is not None:
        low = max(MEMORY_LEAST, wanted.memory_bytes)
        yield from _amount(
            "memory_max_bytes", wanted.memory_max_bytes, low, MEMORY_MOST
        )
        if not wanted.balloon and wanted.memory_max_bytes > wanted.memory_bytes:
            yield "memory_max_bytes", "More than it starts with needs the balloon."


def _of_cpu(wanted: Wanted) -> Iterator[Fault]:
    cpu = wanted.cpu
    yield from _one_of("cpu.mode", cpu.mode, ("", *CPU_MODES))
    if (cpu.mode == "named") != bool(cpu.model):
        yield "cpu.model", "Name a model with the mode “named”, and only then."
    if cpu.model and not _WORD.fullmatch(cpu.model):
        yield "cpu.model", f"{cpu.model[:40]!r} is no name of a CPU model."
    shape = [cpu.sockets, cpu.cores, cpu.threads]
    given = [number for number in shape if number is not None]
    if not given:
        return
    if len(given) < 3:
        yield "cpu.sockets", "Say sockets, cores and threads, or none of them."
        return
    for number in given:
        yield from _between("cpu.sockets", number, 1, VCPUS_MAX)
    product = given[0] * given[1] * given[2]
    most = wanted.vcpus_max or wanted.vcpus
    if product != most:
        yield "cpu.sockets", f"Sockets × cores × threads is {product}, not {most}."


def _of_choices(wanted: Wanted) -> Iterator[Fault]:
    yield from _one_of("firmware", wanted.firmware, ("", *FIRMWARE))
    yield from _one_of("watchdog", wanted.watchdog, ("", *WATCHDOGS))
    yield from _one_of("screen", wanted.screen, SCREENS)
    if not _WORD.fullmatch(wanted.machine):
        yield "machine", f"{wanted.machine[:40]!r} is no name of a machine type."
    if set(wanted.boot) - set(BOOTS) or len(set(wanted.boot)) < len(wanted.boot):
        yield "boot", f"Order {', '.join(BOOTS)}, each at most once."


def _of_devices(wanted: Wanted) -> Iterator[Fault]:
    for part, found, most in (
        ("disks", wanted.disks, DISKS_MAX),
        ("nics", wanted.nics, NICS_MAX),
        ("cdroms", wanted.cdroms, CDROMS_MAX),
        ("host_devices", wanted.host_devices, DEVICES_MAX),
        ("shares", wanted.shares, DEVICES_MAX),
    ):
        if len(found) > most:
            yield part, f"At most {most} of them."


def _of_shares(wanted: Wanted) -> Iterator[Fault]:
    if len({share.tag for share in wanted.shares}) < len(wanted.shares):
        yield "shares", "Two directories have one tag."
    for share in wanted.shares:
        if not _FOLDER.fullmatch(share.path) or ".." in share.path.split("/"):
            yield "shares", f"{share.path[:60]!r} is no absolute path of a directory."
        if not _WORD.fullmatch(share.tag) or len(share.tag) > 35:
            yield "shares", f"{share.tag[:40]!r} is no tag for a directory."


def _of_several(wanted: Wanted) -> Iterator[Fault]:
    if wanted.count <= 1:
        return
    if any(disk.volume for disk in wanted.disks):
        yield "count", "A volume that is there can be the disk of one guest only."
    if any(nic.mac for nic in wanted.nics):
        yield "count", "Several guests cannot have one MAC address."
    if wanted.host_devices:
        yield "count", "A device of the host can be given to one guest only."


_CHECKS: tuple[Callable[[Wanted], Iterator[Fault]], ...] = (
    _of_words,
    _of_tags,
    _of_size,
    _of_cpu,
    _of_choices,
    _of_devices,
    _of_shares,
    _of_several,
)


def _of_disk(disk: WantedDisk) -> Iterator[Fault]:
    made_of = [word for word in (disk.image, disk.volume) if word]
    if len(made_of) > 1:
        yield "volume", "A disk is made of an image or is a volume, not both."
    if disk.volume and (disk.size_bytes or disk.format or disk.pool):
        yield (
            "volume",
            "A volume that is there has a size, a format and a pool already.",
        )
    if not made_of and not disk.size_bytes:
        yield "size_bytes", "Say how large it shall be, or what it is made of."
    if disk.size_bytes:
        yield from _amount("size_bytes", disk.size_bytes, DISK_LEAST, DISK_MOST)
    if disk.image and not disk.copy and disk.format == "raw":
        yield (
            "format",
            "Only a qcow2 disk can stand on its image; or make a whole copy.",
        )
    yield from _one_of("bus", disk.bus, ("", *BUSES))
    yield from _one_of("format", disk.format, ("", *FORMATS))
    yield from _one_of("cache", disk.cache, ("", *CACHES))
    yield from _one_of("io", disk.io, ("", *IO_WAYS))
    if disk.io == "native" and disk.cache not in {"none", "directsync"}:
        yield "io", "Native I/O needs the cache “none” or “directsync”."
    yield from _of_limits(disk.limits)


def _of_limits(limits: Limits) -> Iterator[Fault]:
    for part in Limits.__slots__:
        yield from _between(f"limits.{part}", getattr(limits, part), 0, LIMIT_MOST)
    if limits.total_bytes_s and (limits.read_bytes_s or limits.write_bytes_s):
        yield "limits.total_bytes_s", "Limit the total, or reading and writing."
    if limits.total_iops and (limits.read_iops or limits.write_iops):
        yield "limits.total_iops", "Limit the total, or reading and writing."


def _of_nic(nic: WantedNic) -> Iterator[Fault]:
    if bool(nic.network) == bool(nic.bridge):
        yield "network", "Name a network, or a bridge of the host."
    if nic.bridge and not _WORD.fullmatch(nic.bridge):
        yield "bridge", f"{nic.bridge[:40]!r} is no name of a bridge."
    yield from _one_of("model", nic.model, ("", *NIC_MODELS))
    if nic.mac and not _MAC.fullmatch(nic.mac):
        yield "mac", f"{nic.mac[:40]!r} is no MAC address of a card, like 52:54:00:…"
    if nic.filter and not _WORD.fullmatch(nic.filter):
        yield "filter", f"{nic.filter[:40]!r} is no name of a filter."
    yield from _between("inbound_kib_s", nic.inbound_kib_s, 0, SPEED_MOST)
    yield from _between("outbound_kib_s", nic.outbound_kib_s, 0, SPEED_MOST)


def _between(part: str, number: int, low: int, high: int) -> Iterator[Fault]:
    if not low <= number <= high:
        yield part, f"Give a number from {low} to {high}."


def whole_memory(size_bytes: int) -> int:
    """So much memory a guest really gets: whole MiB (libvirt, domain XML, `memory`)."""
    return -(-size_bytes // MIB) * MIB


def whole_disk(size_bytes: int) -> int:
    """So large a disk really is: whole sectors of 512 bytes."""
    return -(-size_bytes // 512) * 512


def _amount(part: str, count: int, low: int, high: int) -> Iterator[Fault]:
    if not low <= count <= high:
        yield part, f"Give from {_words(low)} to {_words(high)}."


def _words(count: int) -> str:
    for size, unit in ((TIB, "TiB"), (GIB, "GiB"), (MIB, "MiB")):
        if count >= size:
            return f"{count / size:.1f} {unit}".replace(".0 ", " ")
    return f"{count} bytes"


def _one_of(part: str, word: str, words: tuple[str, ...]) -> Iterator[Fault]:
    if word not in words:
        yield part, f"Choose one of {', '.join(filter(None, words))}."
