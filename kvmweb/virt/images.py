"""What a disk image says of itself in its first bytes. Pure: bytes in, facts out.

Whoever brings an image may want to read files of the host by it: a backing file, a data
file, extents elsewhere. Nothing here opens what an image names, and no format is
guessed for use: it is declared, and the first bytes must agree.
"""

import re
import struct
from dataclasses import dataclass

from kvmweb.errors import Invalid

HEAD_BYTES = 1 << 20  # how much of an image `inspect` wants to see
LARGEST_BYTES = 2**53
FORMATS = ("qcow2", "raw", "iso", "vmdk")  # what may be brought

_ISO_AT = 32769
_TAR_AT = 257
_VDI_AT = 64
_SECTOR = 512
_TEXT_BYTES = 4096
_NOT_TEXT = re.compile(rb"[^\t\n\v\f\r\x1b\x20-\x7e\x80-\xff]")


@dataclass(frozen=True, slots=True)
class Image:
    """An image that stands alone."""

    format: str
    virtual_bytes: int | None  # what a guest sees; None: as long as the file


@dataclass(frozen=True, slots=True)
class Layers:
    """What an image names besides itself."""

    format: str
    virtual_bytes: int
    backing: str  # "" for none
    backing_format: str
    data_file: bool


_DISKS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"QFI\xfb", "qcow2"),
    (0, b"KDMV", "vmdk"),
    (0, b"COWD", "vmdk"),
    (0, b"# Disk DescriptorFile", "vmdk"),
    (0, b"QED\0", "qed"),
    (0, b"vhdxfile", "vhdx"),
    (0, b"conectix", "vpc"),
    (0, b"LUKS\xba\xbe", "luks"),
    (0, b"WithoutFreeSpace", "parallels"),
    (0, b"WithouFreSpacExt", "parallels"),
    (0, b"Bochs Virtual HD Image", "bochs"),
    (_VDI_AT, b"\x7f\x10\xda\xbe", "vdi"),
    (_ISO_AT, b"CD001", "iso"),
)
_OTHERS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x1f\x8b", "a gzip archive: unpack it first"),
    (0, b"\xfd7zXZ\0", "an xz archive: unpack it first"),
    (0, b"\x28\xb5\x2f\xfd", "a zstd archive: unpack it first"),
    (0, b"BZh", "a bzip2 archive: unpack it first"),
    (0, b"PK\x03\x04", "a zip archive: unpack it first"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it first"),
    (_TAR_AT, b"ustar", "a tar archive (an OVA is one): unpack it first"),
    (0, b"\x7fELF", "a program"),
    (0, b"%PDF-", "a PDF"),
    (0, b"\x89PNG", "a picture"),
    (0, b"\xff\xd8\xff", "a picture"),
    (0, b"GIF8", "a picture"),
)


def inspect(head: bytes, declared: str, length_bytes: int | None = None) -> Image:
    """An image of the declared format, from its first HEAD_BYTES (or all of it).

    `length_bytes` is the file's, where known. Raises Invalid for what is no image, is
    another format than declared, needs another file, is encrypted, is broken, claims
    an absurd size or has features nobody here knows.
    """
    if declared not in FORMATS:
        raise _refused(f"Images of the format {declared} are not taken.", _CONVERT)
    if not head:
        raise _refused("The file is empty.")
    found = detect(head)
    if declared in ("raw", "iso"):
        return _plain(head, declared, found, length_bytes)
    if found != declared:
        raise _refused(f"This is no {declared} image{_named(head, found)}.")
    layers = _qcow2(head) if declared == "qcow2" else _vmdk(head)
    if layers.data_file:
        raise _refused("The image keeps its data in another file, which is not taken.")
    if layers.backing:
        raise _refused(
            "The image stands on another file (a backing file), which is not taken.",
            "Make it whole first: qemu-img convert.",
        )
    return Image(declared, _sane(layers.virtual_bytes))


def detect(head: bytes) -> str:
    """What the first bytes look like: qcow2, vmdk, iso…; "" when like nothing known.

    For refusing only: a guest writes what it likes into its own disk.
    """
    for at, magic, name in _DISKS:
        if head[at : at + len(magic)] == magic:
            return name
    return ""


def layers(head: bytes) -> Layers | None:
    """What a qcow2 or vmdk image names besides itself; None for other formats.

    Raises Invalid when it is broken.
    """
    found = detect(head)
    if found == "qcow2":
        return _qcow2(head)
    return _vmdk(head) if found == "vmdk" else None


_CONVERT = "Convert it to qcow2 or raw first: qemu-img convert."


def _refused(sentence: str, hint: str = "") -> Invalid:
    return Invalid(sentence, errors={"content": [sentence]}, hint=hint)


def _plain(head: bytes, declared: str, found: str, length: int | None) -> Image:
    """Raw bytes, which must not look like anything else."""
    if declared == "iso" and found != "iso":
        raise _refused(f"This is no ISO 9660 image{_named(head, found)}.")
    if found == "luks":
        raise _refused("The image is encrypted (LUKS), which is not taken.")
    if found not in ("", "iso"):
        raise _refused(
            f"This is a {found} image, and the volume is {declared}.",
            f"Make a {found} volume for it." if found in FORMATS else _CONVERT,
        )
    if other := _other(head):
        raise _refused(f"This is no disk image but {other}.")
    return Image(declared, None if length is None else _sane(length))


def _other(head: bytes) -> str:
    """What a file is that is no disk; "" when it may be one."""
    for at, magic, what in _OTHERS:
        if head[at : at + len(magic)] == magic:
            return what
    start = head[:_TEXT_BYTES]
    if _NOT_TEXT.search(start):
        return ""
    try:
        start.decode()
    except UnicodeDecodeError as error:
        if error.start < len(start) - 4:  # else a letter that was cut in two
            return ""
    return "a text"


def _named(head: bytes, found: str) -> str:
    if found:
        return f" but a {found} one"
    other = _other(head)
    return f" but {other}" if other else ""


def _sane(size: int) -> int:
    if not 0 < size <= LARGEST_BYTES:
        raise _refused(
            f"The image claims to be {size / 2**40:.6g} TiB large; "
            f"at most {LARGEST_BYTES // 2**40} TiB is taken."
        )
    return size


# qcow2: docs/interop/qcow2.txt of QEMU; all numbers are big-endian.

_QCOW2 = struct.Struct(">4sIQIIQIIQQIIQ")
_QCOW2_3 = struct.Struct(">QQQII")
_EXTENSION = struct.Struct(">II")
_DATA_FILE_BIT, _CORRUPT_BIT = 1 << 2, 1 << 1
_KNOWN_BITS = 0b11111
_DATA_FILE, _CRYPTO, _BACKING_FORMAT = 0x44415441, 0x0537BE77, 0xE2792ACA
_LONGEST_NAME = 1023


def _qcow2(head: bytes) -> Layers:
    if len(head) < _QCOW2.size:
        raise _refused("The qcow2 image ends within its header.")
    fields = _QCOW2.unpack_from(head)
    version, backing_at, backing_size, cluster_bits, size, crypt = fields[1:7]
    if version not in (2, 3):
        raise _refused(f"The qcow2 image is of version {version}; 2 and 3 are known.")
    if not 9 <= cluster_bits <= 21:
        raise _refused("The qcow2 image is broken: its clusters have an odd size.")
    if crypt:
        raise _refused("The image is encrypted, which is not taken.")
    features, end = _features(head, version)
    found = dict(_extensions(head, end, min(1 << cluster_bits, backing_at or 1 << 21)))
    if _CRYPTO in found:
        raise _refused("The image is encrypted, which is not taken.")
    _need_tables(fields, cluster_bits)
    backing = ""
    if backing_at:
        name = head[backing_at : backing_at + min(backing_size, _LONGEST_NAME)]
        backing = name.decode(errors="replace") or "?"
    return Layers(
        "qcow2",
        size,
        backing,
        found.get(_BACKING_FORMAT, b"").decode(errors="replace"),
        bool(features & _DATA_FILE_BIT) or _DATA_FILE in found,
    )


def _features(head: bytes, version: int) -> tuple[int, int]:
    """Its incompatible features, and where its header ends."""
    if version == 2:
        return 0, _QCOW2.size
    if len(head) < _QCOW2.size + _QCOW2_3.size:
        raise _refused("The qcow2 image ends within its header.")
    features, _, _, _, end = _QCOW2_3.unpack_from(head, _QCOW2.size)
    if features & ~_KNOWN_BITS:
        raise _refused("The qcow2 image has features that are not known here.")
    if features & _CORRUPT_BIT:
        raise _refused("The qcow2 image says of itself that it is corrupt.")
    if not _QCOW2.size + _QCOW2_3.size <= end <= 4096 or end % 8:
        raise _refused("The qcow2 image is broken: its header has an odd length.")
    return features, end


def _extensions(head: bytes, at: int, end: int) -> list[tuple[int, bytes]]:
    """The header's extensions, all of them. Raises Invalid when they leave the head."""
    found: list[tuple[int, bytes]] = []
    while at + _EXTENSION.size <= min(end, len(head)):
        kind, length = _EXTENSION.unpack_from(head, at)
        if kind == 0:
            return found
        at += _EXTENSION.size
        if length > end - at or at + length > len(head):
            raise _refused("The qcow2 image is broken: its header has no end.")
        found.append((kind, head[at : at + length]))
        at += (length + 7) // 8 * 8
    return found


def _need_tables(fields: tuple[int, ...], cluster_bits: int) -> None:
    """Its first table covers its size, and no table is absurd."""
    size, l1_entries, refcounts, snapshots = (
        fields[5],
        fields[7],
        fields[10],
        fields[11],
    )
    covered = l1_entries << (2 * cluster_bits - 3)
    broken = (
        covered < min(size, LARGEST_BYTES)
        or l1_entries * 8 > 32 << 20
        or refcounts << cluster_bits > 8 << 20
        or snapshots > 65536
    )
    if size <= LARGEST_BYTES and broken:
        raise _refused("The qcow2 image is broken: its tables do not fit its size.")


# VMDK, one file with everything in it; numbers are little-endian.

_VMDK = struct.Struct("<4sIIQQQQ")
_EXTENT = re.compile(rb"^\s*(?:RW|RDONLY|NOACCESS)\s+\d+\s+(\w+)", re.MULTILINE)
_KIND = re.compile(rb'createType\s*=\s*"(\w+)"')
_PARENT = re.compile(rb"parentCID\s*=\s*(\w+)")


def _vmdk(head: bytes) -> Layers:
    if head[:4] != b"KDMV" or len(head) < _VMDK.size:
        raise _refused(
            "The VMDK image has its data in other files, or is of an old kind.",
            _CONVERT,
        )
    capacity, _, at, sectors = _VMDK.unpack_from(head)[3:7]
    descriptor = head[at * _SECTOR : (at + sectors) * _SECTOR].split(b"\0", 1)[0]
    if not at or not descriptor or (at + sectors) * _SECTOR > len(head):
        raise _refused("The VMDK image does not describe itself.", _CONVERT)
    if not capacity:
        raise _refused("The VMDK image claims to have no size.", _CONVERT)
    kind, parent = _KIND.search(descriptor), _PARENT.search(descriptor)
    whole = kind is not None and kind[1] in (b"monolithicSparse", b"streamOptimized")
    alone = whole and _EXTENT.findall(descriptor) == [b"SPARSE"]
    child = parent is not None and parent[1].lower() != b"ffffffff"
    if b"parentFileNameHint" in descriptor:
        child = True
    return Layers("vmdk", capacity * _SECTOR, "?" if child else "", "", not alone)
