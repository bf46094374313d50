"""A pool as somebody wants it: checked, then a document. Pure."""

import posixpath
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from uuid import UUID

from kvmweb.errors import Invalid
from kvmweb.virt.xml.storage import Pool, SourceDevice, SourceHost

NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/+:-]{0,254}")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.:-]{0,251}[A-Za-z0-9])?")
_PATH = re.compile(r"/[^\0-\x1f\x7f<>&\"']{0,1000}")
_FORMATS = {
    "fs": ("auto", "ext2", "ext3", "ext4", "xfs", "vfat", "iso9660", "ocfs2"),
    "netfs": ("auto", "nfs", "cifs", "glusterfs"),
    "disk": ("dos", "gpt", "mac", "bsd", "sun"),
    "logical": ("lvm2",),
}
# Directories that hold the host itself; whoever reads volumes would read it.
_HOST_ITSELF = (
    *("/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/proc", "/root"),
    *("/run", "/sbin", "/sys", "/usr", "/var/run", "/var/log", "/var/cache"),
)
_TOO_HIGH = ("/", "/home", "/opt", "/srv", "/mnt", "/media", "/var", "/var/lib")
_PRIVATE = (
    "/var/lib/libvirt/qemu",
    "/var/lib/libvirt/dnsmasq",
    "/var/lib/libvirt/swtpm",
)


@dataclass(frozen=True, slots=True)
class PoolSource:
    """Where a pool's storage comes from; which parts count depends on its type."""

    hosts: tuple[str, ...] = ()  # "name", "name:port", "[address]:port"
    directory: str = ""  # what a server exports
    devices: tuple[str, ...] = ()  # paths; an IQN for iscsi
    name: str = ""  # volume group, gluster volume, rbd or zfs pool
    format: str = ""
    initiator: str = ""
    username: str = ""
    secret_uuid: UUID | None = None  # of a secret that the host's libvirt holds


@dataclass(frozen=True, slots=True)
class PoolWish:
    """A pool to be defined."""

    name: str
    type: str
    target: str = ""
    source: PoolSource = field(default_factory=PoolSource)


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a type of pool needs."""

    target: str  # the one that is usual; "" when the wish must say it
    needs: tuple[str, ...] = ()
    files: bool = False  # its target is a directory that people choose
    no_target: bool = False
    auth: str = ""


KINDS: dict[str, _Kind] = {
    "dir": _Kind("", files=True),
    "fs": _Kind("", ("devices",), files=True),
    "netfs": _Kind("", ("hosts", "directory"), files=True),
    "logical": _Kind("/dev/{name}", ("name",)),
    "disk": _Kind("/dev", ("devices",)),
    "iscsi": _Kind("/dev/disk/by-path", ("hosts", "devices"), auth="chap"),
    "iscsi-direct": _Kind(
        "", ("hosts", "devices", "initiator"), no_target=True, auth="chap"
    ),
    "rbd": _Kind("", ("hosts", "name"), no_target=True, auth="ceph"),
    "gluster": _Kind("", ("hosts", "name"), no_target=True),
    "zfs": _Kind("", ("name",), no_target=True),
}


def check(wish: PoolWish) -> None:
    """Nothing. Raises Invalid with what is wrong, by field."""
    errors: dict[str, list[str]] = {}
    for name, sentence in _faults(wish):
        errors.setdefault(name, []).append(sentence)
    if errors:
        raise Invalid(next(iter(errors.values()))[0], errors=errors)


def document(wish: PoolWish, uuid: UUID) -> Pool:
    """What libvirt defines it from. Raises Invalid as `check`."""
    check(wish)
    kind, source = KINDS[wish.type], wish.source
    pool = Pool.make(type=wish.type, name=wish.name, uuid=str(uuid))
    for address in source.hosts:
        host, port = _parts(address)
        pool.source_hosts.add(SourceHost.make(name=host, port=port or None))
    for device in source.devices:
        pool.source_devices.add(SourceDevice.make(path=device))
    pool.source_dir = source.directory or None
    pool.source_name = source.name or None
    pool.source_format = source.format or None
    pool.initiator = source.initiator or None
    if source.username and kind.auth:
        pool.auth_type, pool.auth_username = kind.auth, source.username
        pool.auth_secret = str(source.secret_uuid)
    if not kind.no_target:
        pool.target = target_of(wish)
    return pool


def target_of(wish: PoolWish) -> str:
    """Where its volumes will be on the host; "" where they have no paths."""
    kind = KINDS[wish.type]
    if kind.no_target:
        return ""
    usual = kind.target.format(name=wish.source.name)
    return posixpath.normpath(wish.target) if wish.target else usual


def _faults(wish: PoolWish) -> Iterator[tuple[str, str]]:
    if not NAME.fullmatch(wish.name):
        yield (
            "name",
            "A pool's name has up to 63 letters, digits, dots, dashes and underscores.",
        )
    kind = KINDS.get(wish.type)
    if kind is None:
        yield "type", f"Choose one of {', '.join(KINDS)}."
        return
    yield from _target_faults(wish, kind)
    yield from _source_faults(wish, kind)


def _source_faults(wish: PoolWish, kind: _Kind) -> Iterator[tuple[str, str]]:
    source = wish.source
    for part in kind.needs:
        if not getattr(source, part):
            yield "source", f"A pool of type {wish.type} needs {_CALLED[part]}."
    for part, said in _said(source):
        if not _PARTS[part](said):
            yield "source", f"{said[:80]!r} cannot be {_CALLED[part]}."
    if source.format and source.format not in _FORMATS.get(wish.type, ()):
        yield "source", f"A pool of type {wish.type} has no format {source.format!r}."
    if bool(source.username) != bool(source.secret_uuid):
        yield (
            "source",
            "Give both a user and the UUID of the host's secret, or neither.",
        )


def _said(source: PoolSource) -> Iterator[tuple[str, str]]:
    for part in _PARTS:
        said = getattr(source, part)
        yield from ((part, each) for each in _all(said) if each)


def _all(said: str | tuple[str, ...]) -> tuple[str, ...]:
    return (said,) if isinstance(said, str) else said


def _target_faults(wish: PoolWish, kind: _Kind) -> Iterator[tuple[str, str]]:
    target = wish.target
    if kind.no_target:
        return
    if not target:
        if not kind.target:
            yield "target", "Say the directory on the host."
        return
    plain = posixpath.normpath(target)
    if not _PATH.fullmatch(target) or ".." in target.split("/") or plain[:2] == "//":
        yield "target", "The target is a whole path on the host, like /srv/guests."
    elif kind.files and (plain in _TOO_HIGH or _within(plain, _HOST_ITSELF + _PRIVATE)):
        yield "target", f"{plain} holds the host itself; choose a directory of its own."
    elif not kind.files and not plain.startswith("/dev"):
        yield "target", "The target of such a pool is below /dev."


def _within(path: str, places: tuple[str, ...]) -> bool:
    return any(path == place or path.startswith(f"{place}/") for place in places)


def _parts(address: str) -> tuple[str, str]:
    """Host and port; an IPv6 address with a port stands in brackets."""
    match = re.fullmatch(r"\[([^\]]+)\](?::(\d+))?|([^:]+):(\d+)", address)
    if match is None:
        return address, ""
    return match[1] or match[3], match[2] or match[4] or ""


def _is_host(said: str) -> bool:
    host, port = _parts(said)
    return bool(_HOST.fullmatch(host)) and (not port or 0 < int(port[:6]) < 65536)


_CALLED = {
    "hosts": "a server (hosts)",
    "directory": "what the server exports (directory)",
    "devices": "a device (devices)",
    "name": "its name there (name)",
    "initiator": "an initiator's IQN (initiator)",
    "username": "a user (username)",
}
_PARTS: dict[str, Callable[[str], object]] = {
    "hosts": _is_host,
    "directory": _PATH.fullmatch,
    "devices": lambda said: _PATH.fullmatch(said) or _WORD.fullmatch(said),
    "name": _WORD.fullmatch,
    "initiator": _WORD.fullmatch,
    "username": _WORD.fullmatch,
}
