"""What operating systems there are and what each likes best, from osinfo-db.

Read once a process (a fifth of a second); where it is not installed, or does not know a
system, the answers are those of a Linux of today.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from kvmweb.errors import Invalid
from kvmweb.virt.xml.osinfo import Libosinfo, System

PLACE = Path("/usr/share/osinfo/os")
LONGEST_ID = 200
GIB = 1024**3

WINDOWS = "winnt"
FAMILIES = {  # how people call what the data base calls so, in the order of lists
    "linux": "Linux",
    WINDOWS: "Windows",
    "freebsd": "BSD",
    "openbsd": "BSD",
    "netbsd": "BSD",
    "dragonflybsd": "BSD",
    "": "Other",
}
_VIRTIO_DISK = frozenset({"1af4/1001", "1af4/1042"})
_VIRTIO_NET = frozenset({"1af4/1000", "1af4/1041"})
_ARCHES = ("x86_64", "all")
_OFFERED_SINCE = "2015"  # older ones are known, but not in lists
_VIRTIO_SINCE = "2008"
_ENDED_BEFORE = "2023"  # nobody cares for these any more
_DEPTH = 40  # of "derives from"; the longest chain of today has 30
_NEWER = (  # since osinfo-db of Debian 12 was made: id, short id, name, like
    ("http://debian.org/debian/12", "debian12", "Debian 12", "debian/11"),
    ("http://debian.org/debian/13", "debian13", "Debian 13", "debian/11"),
    ("http://ubuntu.com/ubuntu/24.04", "ubuntu24.04", "Ubuntu 24.04 LTS", "22.04"),
)


@dataclass(frozen=True, slots=True)
class Os:
    """One operating system, to choose from a list."""

    id: str  # "http://debian.org/debian/12"
    short_id: str  # "debian12"
    name: str
    family: str  # a key of FAMILIES, mostly
    released: str  # "2023-06-10"
    offered: bool  # of today; the others are known, but only clutter a list


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a new guest with this system gets, unless a person says otherwise."""

    firmware: str = "bios"
    bus: str = "virtio"
    nic_model: str = "virtio"
    vcpus: int = 2
    memory_bytes: int = 2 * GIB
    disk_bytes: int = 20 * GIB
    least_memory_bytes: int = 0  # 0: not known
    least_disk_bytes: int = 0
    tpm: bool = False
    windows: bool = False  # local time, Hyper-V's ways, no USB tablet driver missing
    virtio_drivers: bool = False  # it needs the virtio drivers' ISO to know such disks
    ended: str = ""  # when its maker stopped caring, "2024-06-30"


@dataclass(frozen=True, slots=True)
class _Known:
    os: Os
    defaults: Defaults


@dataclass(frozen=True, slots=True)
class _Told:
    """What one document says; documents themselves are too big to keep."""

    id: str
    short_id: str
    name: str
    family: str
    released: str
    ended: str
    status: str
    parent: str
    only_uefi: bool
    needs: tuple[int, int, int, int, int] | None  # CPUs; memory, storage: least, good
    disk: bool | None  # has a driver for virtio disks; None: says nothing of drivers
    nic: bool | None


def systems() -> tuple[Os, ...]:
    """All that are known, by name; those of today are `offered`."""
    found = (known.os for known in _read(PLACE).values())
    return tuple(sorted(found, key=lambda each: _natural(each.name)))


def offered() -> dict[str, list[Os]]:
    """Those of today by the name of their family, the newest of each kind first."""
    return _offered(PLACE)


def full_id(word: str) -> str:
    """The id that a short one ("debian12") means; a full one is given back.

    Raises Invalid for what is neither, and cannot stand in a document.
    """
    if not word or word in _read(PLACE):
        return word
    for known in _read(PLACE).values():
        if known.os.short_id == word:
            return known.os.id
    web = word.startswith(("http://", "https://"))
    if web and len(word) <= LONGEST_ID and word.isascii() and " " not in word:
        return word if word.isprintable() else _no(word)
    return _no(word)


def name_of(os_id: str) -> str:
    """Its name, or the id itself when nobody knows it."""
    known = _read(PLACE).get(os_id)
    return known.os.name if known else os_id


def defaults(os_id: str) -> Defaults:
    """What fits this system; for one that is not known, what fits its relatives."""
    every = _read(PLACE)
    if known := every.get(os_id) or _relative(every, os_id):
        return known.defaults
    windows = "microsoft.com/win" in os_id
    return _windows(Defaults()) if windows else Defaults()


def _no(word: str) -> str:
    sentence = f"{word[:80]!r} is no operating system that is known here."
    raise Invalid(sentence, errors={"os": [sentence]})


def _natural(name: str) -> tuple[tuple[int, str], ...]:
    """So that 9 comes before 11."""
    words = name.lower().replace(".", " ").split()
    return tuple((int(w), "") if w.isdecimal() else (-1, w) for w in words)


def _relative(every: dict[str, _Known], os_id: str) -> _Known | None:
    """The newest known version of the same product."""
    product, _, _ = os_id.rpartition("/")
    same = [known for known in every.values() if known.os.id.startswith(f"{product}/")]
    return max(same, key=lambda it: it.os.released) if product and same else None


@cache
def _read(place: Path) -> dict[str, _Known]:
    """By id; empty where the data base is not installed."""
    found = {told.id: told for told in _documents(place) if told.id}
    known = {os_id: _known(told, found) for os_id, told in found.items()}
    for os_id, short_id, name, like in _NEWER:
        base = next((it for key, it in known.items() if key.endswith(like)), None)
        if os_id not in known:
            defaults = base.defaults if base else Defaults()
            os = Os(os_id, short_id, name, "linux", "9999", offered=True)
            known[os_id] = _Known(os, replace(defaults, ended=""))
    return known


@cache
def _offered(place: Path) -> dict[str, list[Os]]:
    groups: dict[str, list[Os]] = {name: [] for name in FAMILIES.values()}
    names: set[str] = set()  # some bear one name for several editions
    found = [known.os for known in _read(place).values() if known.os.offered]
    for each in sorted(found, key=lambda it: _natural(it.name), reverse=True):
        if each.name not in names:
            names.add(each.name)
            groups[FAMILIES.get(each.family, "Other")].append(each)
    return {name: found for name, found in groups.items() if found}


def _documents(place: Path) -> Iterator[_Told]:
    for path in sorted(place.glob("*/*.xml")):
        try:
            document = Libosinfo.parse(path.read_text("utf-8"))
        except (Invalid, OSError, UnicodeDecodeError):
            continue  # one file that is broken spoils no other
        yield from map(_told, document.systems)


def _told(system: System) -> _Told:
    links = [*(p.id for p in system.parents), *(o.id for o in system.originals)]
    drivers = {it.id.partition("/pci/")[2]: it.supported for it in system.devices}
    only_uefi = any(
        each.type == "bios" and each.supported == "false" and each.arch in _ARCHES
        for each in system.firmwares
    )
    return _Told(
        id=system.id,
        short_id=system.short_id,
        name=system.name or system.short_id or system.id,
        family=system.family,
        released=system.released,
        ended=system.ended,
        status=system.release_status,
        parent=links[0] if links else "",
        only_uefi=only_uefi,
        needs=_needs(system),
        disk=_drives(drivers, _VIRTIO_DISK),
        nic=_drives(drivers, _VIRTIO_NET),
    )


def _needs(system: System) -> tuple[int, int, int, int, int] | None:
    found = {each.arch: each for each in system.resources}
    need = found.get("x86_64") or found.get("all")
    if need is None:
        return None
    memory, storage = need.least_memory or 0, need.least_storage or 0
    return (
        max(need.least_cpus or 0, need.good_cpus or 0),
        memory,
        max(memory, need.good_memory or 0),
        storage,
        max(storage, need.good_storage or 0),
    )


def _drives(drivers: dict[str, str], wanted: frozenset[str]) -> bool | None:
    """Whether it has one of these; None where it names no drivers at all."""
    said = [drivers[device] for device in wanted if device in drivers]
    if said:
        return any(supported != "false" for supported in said)
    return False if drivers else None


def _known(told: _Told, every: dict[str, _Told]) -> _Known:
    line = list(_line(told, every))
    family = next((it.family for it in line if it.family), "")
    of_today = told.released >= _OFFERED_SINCE or told.status == "rolling"
    left_alone = bool(told.ended) and told.ended < _ENDED_BEFORE
    offered = (
        of_today
        and not left_alone
        and family in FAMILIES
        and told.status != "prerelease"
    )
    os = Os(told.id, told.short_id, told.name, family, told.released, offered=offered)
    return _Known(os, replace(_defaults(line, family), ended=told.ended))


def _line(told: _Told, every: dict[str, _Told]) -> Iterator[_Told]:
    """The system and those it comes from, itself first."""
    here: _Told | None = told
    for _ in range(_DEPTH):
        if here is None:
            return
        yield here
        here = every.get(here.parent)


def _defaults(line: list[_Told], family: str) -> Defaults:
    found = Defaults()
    if need := next((it.needs for it in line if it.needs), None):
        found = replace(
            found,
            vcpus=max(found.vcpus, need[0]),
            memory_bytes=max(found.memory_bytes, need[2]),
            disk_bytes=max(found.disk_bytes, need[4]),
            least_memory_bytes=need[1],
            least_disk_bytes=need[3],
        )
    if line[0].only_uefi:
        found = replace(found, firmware="uefi")
    if family == WINDOWS:
        return _windows(found)
    return replace(
        found,
        bus="virtio" if _has([it.disk for it in line], line[0]) else "sata",
        nic_model="virtio" if _has([it.nic for it in line], line[0]) else "e1000e",
    )


def _has(said: list[bool | None], told: _Told) -> bool:
    """What any of its line has, it has; of what nobody speaks, its age tells."""
    known = [each for each in said if each is not None]
    return any(known) if known else not "1" <= told.released < _VIRTIO_SINCE


def _windows(plain: Defaults) -> Defaults:
    """What every Windows gets: it brings no virtio drivers of its own."""
    new = plain.firmware == "uefi"  # 11 and later: secure boot and a TPM are a must
    return replace(
        plain,
        firmware="uefi-secure" if new else plain.firmware,
        tpm=new,
        bus="sata",
        nic_model="e1000e",
        memory_bytes=max(plain.memory_bytes, 4 * GIB),
        disk_bytes=max(plain.disk_bytes, 40 * GIB),
        windows=True,
        virtio_drivers=True,
    )
