"""What differs between the devices of two documents of a guest. Pure."""

import posixpath
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from guests.hardware.parts import N, copied, hostdev_key, source_of
from kvmweb.sizes import amount
from kvmweb.virt.xml.devices import Disk, Nic
from kvmweb.virt.xml.document import Children, Node
from kvmweb.virt.xml.domain import Domain

Sizes = Mapping[str, int]  # bytes of what lies at a path, as far as somebody knows


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is otherwise: a sentence, and what makes it as it was before."""

    sentence: str  # "memory 4 → 8 GiB"
    undo: Callable[[Domain], None]  # on the later document


# Devices that people know by a name of their own


def disks(before: Domain, after: Domain, sizes: Sizes) -> Iterator[Difference]:
    """What differs in their disks."""
    for old, new in _pairs(before.disks, after.disks):
        each = old or new
        if each and (old is None or new is None):
            yield _came_or_went(old, new, "disks", _disk_words(each, sizes))
        elif old and new and (told := _disk_told(old, new)):
            yield Difference(f"{_disk_name(new)} {told}", _replacing("disks", old))


def _disk_told(old: Disk, new: Disk) -> str:
    """What differs inside a disk; its source by name, by path where names are alike."""
    was, now = source_of(old), source_of(new)
    names = [posixpath.basename(each) or "empty" for each in (was, now)]
    if names[0] == names[1]:
        names = [was, now]
    moved = f"{names[0]} → {names[1]}" if was != now else ""
    return ", ".join(filter(None, (moved, _inside(old, new, _DISK_FIELDS))))


def _disk_name(disk: Disk) -> str:
    words = {"cdrom": "CD drive", "floppy": "floppy drive"}
    return f"{words.get(disk.device, 'disk')} {disk.target}"


def _disk_words(disk: Disk, sizes: Sizes) -> tuple[str, str]:
    """What a disk is called, and what is worth saying of a new one."""
    size = sizes.get(source_of(disk))
    about = amount(size) if size else posixpath.basename(source_of(disk)) or "empty"
    return _disk_name(disk), about


_DISK_FIELDS: tuple[tuple[str, Callable[[Any], object]], ...] = (
    ("bus", lambda it: it.bus),
    ("kind", lambda it: it.device),
    ("format", lambda it: it.format),
    ("cache", lambda it: it.cache),
    ("discard", lambda it: it.discard),
    ("IO", lambda it: it.io),
    ("read-only", lambda it: it.readonly),
    ("shared", lambda it: it.shareable),
    ("serial number", lambda it: it.serial),
    ("limits", lambda it: _numbers(it.iotune)),
)
_NIC_FIELDS: tuple[tuple[str, Callable[[Any], object]], ...] = (
    ("network", lambda it: it.network or it.bridge or it.dev or it.source_name),
    ("kind", lambda it: it.type),
    ("model", lambda it: it.model),
    ("link", lambda it: it.link or "up"),
    ("filter", lambda it: it.filterref.filter if it.filterref else ""),
    ("limit of what comes in", lambda it: _numbers(it.inbound)),
    ("limit of what goes out", lambda it: _numbers(it.outbound)),
)


def nics(before: Domain, after: Domain) -> Iterator[Difference]:
    """What differs in their network cards."""
    for old, new in _pairs(before.nics, after.nics):
        each = old or new
        if each and (old is None or new is None):
            yield _came_or_went(old, new, "nics", _nic_words(each))
        elif old and new and (told := _inside(old, new, _NIC_FIELDS)):
            name = _nic_words(new)[0]
            yield Difference(f"{name} {told}", _replacing("nics", old))


def _nic_words(nic: Nic) -> tuple[str, str]:
    about = nic.network or nic.bridge or nic.dev or nic.source_name or nic.type
    return f"network card {nic.mac}", f"network {about}"


def key(device: Any) -> str:
    """What people tell disks and network cards apart by."""
    return str(device.target if isinstance(device, Disk) else device.mac.lower())


def _pairs(
    before: Iterable[N], after: Iterable[N]
) -> Iterator[tuple[N | None, N | None]]:
    """Devices of both by their names; None where one has it not."""
    old = {key(each): each for each in before}
    new = {key(each): each for each in after}
    for name in dict.fromkeys((*old, *new)):
        yield old.get(name), new.get(name)


def _inside(
    old: Node, new: Node, fields: Iterable[tuple[str, Callable[[Any], object]]]
) -> str:
    """What differs inside a device: "network default → lab, link up → down"."""
    told = []
    for name, read in fields:
        was, now = read(old), read(new)
        if was != now:
            told.append(f"{name} {word(was)} → {word(now)}".strip())
    return ", ".join(told)


def _came_or_went(
    old: Node | None, new: Node | None, kind: str, words: tuple[str, str]
) -> Difference:
    name, about = words
    if old is None:
        return Difference(f"{name} added, {about}", _removing(kind, new))
    return Difference(f"{name} removed", _adding(kind, old))


def _removing(kind: str, new: Node | None) -> Callable[[Domain], None]:
    def undo(doc: Domain) -> None:
        children: Children[Any] = getattr(doc, kind)
        for each in list(children):
            if new is not None and key(each) == key(new):
                children.remove(each)

    return undo


def _adding(kind: str, old: Node) -> Callable[[Domain], None]:
    def undo(doc: Domain) -> None:
        getattr(doc, kind).add(copied(old))

    return undo


def _replacing(kind: str, old: Node) -> Callable[[Domain], None]:
    def undo(doc: Domain) -> None:
        _removing(kind, old)(doc)
        _adding(kind, old)(doc)

    return undo


# Devices that have no name: as many of a kind as there are

OTHERS: dict[str, Callable[[Any], str]] = {
    "graphics": lambda it: f"screen {it.type}",
    "videos": lambda it: f"video {it.model}",
    "hostdevs": lambda it: f"host device {' '.join(map(str, hostdev_key(it)))}",
    "filesystems": lambda it: f"directory {it.source} as {it.target}",
    "channels": lambda it: f"channel {it.name or it.target_type}",
    "serials": lambda it: f"serial port {it.type}",
    "rngs": lambda it: f"random numbers {it.model}",
    "tpms": lambda it: f"TPM {it.version or it.model}",
    "watchdogs": lambda it: f"watchdog {it.model} {it.action}".strip(),
    "inputs": lambda it: f"input {it.type} {it.bus}".strip(),
    "sounds": lambda it: f"sound {it.model}",
    "memory_devices": lambda it: f"memory module {it.model} {amount(it.size or 0)}",
    "controllers": lambda it: f"controller {it.type} {it.model}".strip(),
}


def others(
    before: Domain, after: Domain, kind: str, describe: Callable[[Any], str]
) -> Iterator[Difference]:
    """How many more or fewer of a kind of device there are."""
    old = Counter(describe(each) for each in getattr(before, kind))
    new = Counter(describe(each) for each in getattr(after, kind))
    for name in dict.fromkeys((*old, *new)):
        count = new[name] - old[name]
        if count:
            times = f"{abs(count)} × " if abs(count) > 1 else ""
            verb = "added" if count > 0 else "removed"

            def undo(doc: Domain, name: str = name) -> None:
                _as_before(doc, before, kind, lambda it: describe(it) == name)

            yield Difference(f"{times}{name} {verb}", undo)


def _as_before(
    doc: Domain, before: Domain, kind: str, chosen: Callable[[Any], bool]
) -> None:
    """As many of these devices as there were, the same ones."""
    children: Children[Any] = getattr(doc, kind)
    for each in list(children):
        if chosen(each):
            children.remove(each)
    for each in getattr(before, kind):
        if chosen(each):
            children.add(copied(each))


# Words for numbers


def pair(before: int, after: int) -> str:
    """ "4 → 8 GiB"; each with its unit where they differ."""
    old, new = amount(before), amount(after)
    if old.split()[1] == new.split()[1]:
        return f"{old.split()[0]} → {new}"
    return f"{old} → {new}"


def _numbers(node: Any) -> str:
    """The numbers of a limit as text, to compare and to read."""
    if node is None:
        return ""
    told = [f"{child.tag} {child.text}" for child in node.element if child.text]
    told += [f"{name} {value}" for name, value in node.element.attrib.items()]
    return ", ".join(sorted(told))


def word(value: object) -> str:
    """A value as people read it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    text = str(value if value is not None else "").strip()
    return (text if len(text) <= 80 else f"{text[:79]}…") or "none"
