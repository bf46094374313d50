"""Verbs that go through the agent inside a guest. Its answers are bounded and cleaned.

Each raises Conflict when no agent listens: no channel, none installed, or the guest does
not run; and HostError when one listens and does not answer in time.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

import libvirt

from kvmweb.errors import Conflict, HostError
from kvmweb.virt.connection import CHANGE_S, verb
from kvmweb.virt.errors import explaining
from kvmweb.virt.inside import FileSystem, InsideFacts, SignedIn, System
from kvmweb.virt.xml.devices import Channel
from kvmweb.virt.xml.document import INT64_MAX, Many, Node

T = TypeVar("T")
Told = Mapping[str, Any]

NAME = "org.qemu.guest_agent.0"
_ANSWER_S = 5  # an agent that takes longer for a small question hangs
_LOOK_S = 30.0  # six questions
_FREEZE_S = 60  # it writes everything to its disks first
_TEXT = 255
_MOST_USERS = 50
_MOST_FILE_SYSTEMS = 100
_UNCLEAN = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]+")
_SILENT = (libvirt.VIR_ERR_AGENT_UNRESPONSIVE, libvirt.VIR_ERR_AGENT_UNSYNCED)

_OS = libvirt.VIR_DOMAIN_GUEST_INFO_OS
_HOSTNAME = libvirt.VIR_DOMAIN_GUEST_INFO_HOSTNAME
_TIMEZONE = libvirt.VIR_DOMAIN_GUEST_INFO_TIMEZONE
_USERS = libvirt.VIR_DOMAIN_GUEST_INFO_USERS
_FILE_SYSTEMS = libvirt.VIR_DOMAIN_GUEST_INFO_FILESYSTEM


@verb(deadline_s=_LOOK_S)
def look(conn: libvirt.virConnect, uuid: UUID) -> InsideFacts:
    """What its agent tells of the guest."""
    untold: list[str] = []

    def part(word: str, ask: Callable[[], T]) -> T | None:
        """One answer; the next are asked for even if this one cannot be had."""
        told: T | None = None
        try:
            told = ask()
        except libvirt.libvirtError as error:
            if error.get_error_code() in _SILENT:
                raise
        except ValueError:  # the binding met text that is not UTF-8
            told = None
        if told is None or told == {}:
            untold.append(word)
        return told

    with _listening(conn, uuid, "look inside {}") as domain:
        system = part("operating system", lambda: _asked(domain, _OS))
        hostname = part("host name", lambda: _asked(domain, _HOSTNAME))
        zone = part("time zone", lambda: _asked(domain, _TIMEZONE))
        users = part("users", lambda: _asked(domain, _USERS))
        mounts = part("file systems", lambda: _asked(domain, _FILE_SYSTEMS))
        ahead_s = part("clock", lambda: _ahead(domain))
    return InsideFacts(
        hostname=_text(hostname, "hostname"),
        system=_system(system) if system else None,
        timezone=_text(zone, "timezone.name"),
        timezone_offset_s=_number(zone, "timezone.offset"),
        ahead_s=ahead_s,
        users=tuple(_users(users)),
        file_systems=tuple(_file_systems(mounts)),
        untold=tuple(untold),
    )


@verb(deadline_s=CHANGE_S)
def set_password(
    conn: libvirt.virConnect, uuid: UUID, user: str, password: str
) -> None:
    """Give a user of the guest a new password.

    What the agent says to that is shown to nobody: it could repeat the password.
    """
    with _listening(conn, uuid, "set a password in {}") as domain:
        try:
            domain.setUserPassword(user, password, 0)
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_INTERNAL_ERROR:
                raise
            raise HostError(
                f"{domain.name()} did not take the password of {user}.",
                hint="Is there such a user in it, and is the password good enough there?",
            ) from None


@verb(deadline_s=CHANGE_S)
def add_ssh_keys(
    conn: libvirt.virConnect, uuid: UUID, user: str, keys: Sequence[str]
) -> None:
    """Let these public keys sign in as the user; those that may already stay."""
    flag = libvirt.VIR_DOMAIN_AUTHORIZED_SSH_KEYS_SET_APPEND
    with _listening(conn, uuid, "add ssh keys in {}") as domain:
        domain.authorizedSSHKeysSet(user, list(keys), flag)


@verb(deadline_s=CHANGE_S)
def sync_time(conn: libvirt.virConnect, uuid: UUID) -> None:
    """Set its clock to ours."""
    now = time.time()
    told = {"seconds": int(now), "nseconds": int(now % 1 * 1e9)}
    with _listening(conn, uuid, "set the clock of {}") as domain:
        domain.setTime(told, 0)


@verb(deadline_s=_FREEZE_S + 10.0)
def freeze(conn: libvirt.virConnect, uuid: UUID) -> int:
    """Have its file systems written out and held still; how many. `thaw` must follow."""
    with _listening(conn, uuid, "freeze {}", answer_s=_FREEZE_S) as domain:
        return int(domain.fsFreeze(None, 0))


@verb(deadline_s=_FREEZE_S + 10.0)
def thaw(conn: libvirt.virConnect, uuid: UUID) -> int:
    """Let its file systems go on; how many were held. None frozen is no error."""
    with _listening(conn, uuid, "thaw {}", answer_s=_FREEZE_S) as domain:
        return int(domain.fsThaw(None, 0))


@verb(deadline_s=CHANGE_S)
def add_channel(conn: libvirt.virConnect, uuid: UUID) -> bool:
    """Give the guest a channel for an agent; whether it has it now, or from next start.

    One that has it already stays as it is.
    """
    with explaining(f"find the guest {uuid}"):
        domain = conn.lookupByUUIDString(str(uuid))
    name = domain.name()
    xml = str(Channel.make(type="unix", target_type="virtio", name=NAME))
    with explaining(f"give {name} a channel for its agent"):
        if domain.isPersistent() and not _channel(_defined(domain)):
            domain.attachDeviceFlags(xml, libvirt.VIR_DOMAIN_AFFECT_CONFIG)
        if not domain.isActive():
            return True
        if _channel(domain.XMLDesc(0)) is None:
            return _plugged(domain, xml)
    return True


class _Devices(Node):
    tag = "domain"
    channels = Many(Channel, "devices")


def _defined(domain: libvirt.virDomain) -> str:
    return str(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))


def _plugged(domain: libvirt.virDomain, xml: str) -> bool:
    """Whether it was plugged in as it runs: it may have no port left for one."""
    try:
        domain.attachDeviceFlags(xml, libvirt.VIR_DOMAIN_AFFECT_LIVE)
    except libvirt.libvirtError:
        if domain.isPersistent():
            return False
        raise
    return True


def _channel(document: str) -> Channel | None:
    for each in _Devices.parse(document).channels:
        if each.name == NAME:
            return each
    return None


@contextmanager
def _listening(
    conn: libvirt.virConnect, uuid: UUID, doing: str, answer_s: int = _ANSWER_S
) -> Iterator[libvirt.virDomain]:
    """The domain, if an agent listens in it; what goes wrong is explained by `doing`."""
    with explaining(f"find the guest {uuid}"):
        domain = conn.lookupByUUIDString(str(uuid))
    what = doing.format(domain.name())
    with explaining(what):
        _need_agent(domain, what)
        try:
            domain.agentSetResponseTimeout(answer_s, 0)
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_NO_SUPPORT:
                raise  # an older libvirt waits as long as it likes; our deadline holds
        yield domain


def _need_agent(domain: libvirt.virDomain, what: str) -> None:
    if not domain.isActive():
        raise Conflict(f"Could not {what}: it does not run.")
    channel = _channel(domain.XMLDesc(0))
    if channel is None:
        raise Conflict(
            f"Could not {what}: it has no channel for a guest agent.",
            hint="Add the channel, and install qemu-guest-agent in the guest.",
        )
    if channel.state != "connected":
        raise Conflict(
            f"Could not {what}: no guest agent listens in it.",
            hint="Install and start qemu-guest-agent in the guest.",
        )


# What it told, made harmless


def _asked(domain: libvirt.virDomain, kind: int) -> Told:
    told: Told = domain.guestInfo(kind, 0)
    return told


def _ahead(domain: libvirt.virDomain) -> float:
    asked_at = time.time()
    told = domain.getTime()
    now = (asked_at + time.time()) / 2
    ahead = int(told["seconds"]) + int(told.get("nseconds", 0)) / 1e9 - now
    return round(max(-1e12, min(ahead, 1e12)), 1)


def _system(told: Told) -> System:
    return System(
        id=_text(told, "os.id"),
        name=_text(told, "os.pretty-name") or _text(told, "os.name"),
        version=_text(told, "os.version-id") or _text(told, "os.version"),
        kernel=_text(told, "os.kernel-release"),
        machine=_text(told, "os.machine"),
    )


def _users(told: Told | None) -> Iterator[SignedIn]:
    for number in range(min(_number(told, "user.count") or 0, _MOST_USERS)):
        since = _number(told, f"user.{number}.login-time")  # milliseconds
        yield SignedIn(
            name=_text(told, f"user.{number}.name"),
            domain=_text(told, f"user.{number}.domain"),
            since=_moment(since / 1000) if since else None,
        )


def _file_systems(told: Told | None) -> Iterator[FileSystem]:
    for number in range(min(_number(told, "fs.count") or 0, _MOST_FILE_SYSTEMS)):
        start = f"fs.{number}"
        total, used = (
            _size(told, f"{start}.total-bytes"),
            _size(told, f"{start}.used-bytes"),
        )
        yield FileSystem(
            mountpoint=_text(told, f"{start}.mountpoint"),
            kind=_text(told, f"{start}.fstype"),
            device=_text(told, f"{start}.name"),
            total_bytes=total,
            used_bytes=used,
        )


def _text(told: Told | None, name: str) -> str:
    said = told.get(name) if told else None
    return _UNCLEAN.sub(" ", said)[:_TEXT].strip() if isinstance(said, str) else ""


def _number(told: Told | None, name: str) -> int | None:
    said = told.get(name) if told else None
    return said if isinstance(said, int) else None


def _size(told: Told | None, name: str) -> int | None:
    said = _number(told, name)
    return None if said is None else max(0, min(said, INT64_MAX))


def _moment(seconds: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None
