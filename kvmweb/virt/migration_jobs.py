"""A guest is migrated: the main of a child that makes the long call and steers it.

The call blocks until the guest is on the other host, so it runs in a thread of a child
of ours, on a connection that nothing else uses; beside it the child asks how far it is.

    child -> worker   MigrationJob, again and again; in the end Ended
    worker -> child   SetDowntime, SetBandwidth, StartPostCopy, Abort

Peer to peer the hosts go on when the child is killed; a migration that the child leads
itself is cancelled by libvirt then. Whoever lost sight of one asks both hosts.
"""

import re
import threading
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import libvirt

from kvmweb.errors import AppError, HostError
from kvmweb.virt import migration
from kvmweb.virt.children import Channel
from kvmweb.virt.domains import domain_of
from kvmweb.virt.errors import explain
from kvmweb.virt.migration import MigrationJob
from kvmweb.virt.opening import open_libvirt
from kvmweb.virt.types import Address

_POST_COPY_BANDWIDTH = libvirt.VIR_MIGRATE_PARAM_BANDWIDTH_POSTCOPY
_FIRST_LOOK_S = 0.05
_LOOK_S = 0.25
_NO_WAY = "connect to remote libvirt"
_NO_TLS = re.compile(r"\btls\b|x509|credentials|certificate")
_NO_NAME = re.compile(r"resolve|name or service not known|name resolution")
_NO_PORT = re.compile(r"unable to connect to server|failed to connect to '")


@dataclass(frozen=True, slots=True)
class Trip:
    """One migration, down to what libvirt is told."""

    uuid: UUID
    target_uri: str  # libvirt of the target as the source reaches it; "": we lead it
    migrate_uri: str  # "tcp://10.0.0.2"
    xml: str  # as the target is to run it; "": as it is
    persistent_xml: str  # as the target is to keep it; "": it is transient
    copied: tuple[str, ...]  # targets of disks whose content goes along
    shared_disks: bool  # others are proved to be the same storage
    bandwidth_mib_s: int
    downtime_ms: int  # to begin with
    auto_converge: bool
    post_copy: bool
    compression: bool
    parallel: int
    tls: bool
    resumes: bool = False  # a post-copy that broke off, told the same as before


@dataclass(frozen=True, slots=True)
class Ended:
    """The call came back."""

    error: AppError | None
    unreached: bool = False  # the source did not reach the target: nothing was begun
    no_tls: bool = False  # QEMU of one of the two has no certificates to encrypt it
    blocked: str = ""  # no memory came through: "name" not known there, or "port"


@dataclass(frozen=True, slots=True)
class SetDowntime:
    """Let it stand still for so long at the end."""

    milliseconds: int


@dataclass(frozen=True, slots=True)
class SetBandwidth:
    """Send so much."""

    mib_s: int


@dataclass(frozen=True, slots=True)
class StartPostCopy:
    """Let it run on the target now."""


@dataclass(frozen=True, slots=True)
class Abort:
    """Stop; the guest goes on at its source."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A wish of the worker that the host did not fulfil."""

    wish: str
    why: str


def carry(channel: Channel, address: Address, trip: Trip, target: Address) -> None:
    """Migrate the guest from the host at `address`; ends with Ended."""
    with ExitStack() as stack:
        try:
            conn = stack.enter_context(open_libvirt(address))
            there = None
            if not trip.target_uri:
                there = stack.enter_context(open_libvirt(target))
        except AppError as error:
            channel.send(Ended(error, unreached=True))
            return
        call = _Call(conn, there, trip)
        call.start()
        _steer(channel, conn, trip, call)
        channel.close()  # before the goodbye, which a hung host may hold up


def watch(channel: Channel, address: Address, uuid: UUID) -> None:
    """Steer a migration that is under way already; Ended when it is none any more."""
    try:
        with open_libvirt(address) as conn:
            _watch(channel, conn, uuid)
            channel.close()
    except AppError as error:
        channel.send(Ended(error))


class _Call(threading.Thread):
    """The blocking call; `ended` is set when it has come back."""

    def __init__(
        self, conn: libvirt.virConnect, there: libvirt.virConnect | None, trip: Trip
    ) -> None:
        super().__init__(name="migration", daemon=True)
        self._conn, self._there, self._trip = conn, there, trip
        self.ended = threading.Event()
        self.outcome = Ended(HostError("The migration did not begin."))

    def run(self) -> None:
        try:
            self.outcome = self._called()
        finally:
            self.ended.set()

    def _called(self) -> Ended:
        trip = self._trip
        try:
            with domain_of(self._conn, trip.uuid, "move {}") as domain:
                params, flags = _params(trip), _flags(trip, domain)
                if trip.downtime_ms and not trip.resumes:
                    _prepare(domain, trip.downtime_ms)
                try:
                    if self._there is None:
                        domain.migrateToURI3(trip.target_uri, params, flags)
                    else:
                        domain.migrate3(self._there, params, flags)
                except libvirt.libvirtError as error:
                    return _refused(error, trip, f"move {domain.name()}")
        except AppError as error:
            return Ended(error)
        return Ended(None)


def _refused(error: libvirt.libvirtError, trip: Trip, doing: str) -> Ended:
    text = str(error.get_error_message()).lower()
    about_tls = bool(_NO_TLS.search(text))
    # The source signs in by certificates of its own, and may have none.
    by_wire = error.get_error_domain() == libvirt.VIR_FROM_RPC and about_tls
    unreached = bool(trip.target_uri) and (_NO_WAY in text or by_wire)
    return Ended(
        explain(error, doing),
        unreached=unreached,
        no_tls=trip.tls and about_tls and not unreached,
        blocked=_blocked(text, unreached=unreached),
    )


def _blocked(text: str, *, unreached: bool) -> str:
    """What kept the memory from its target, if the network did."""
    if _NO_NAME.search(text):
        return "name"  # for libvirt as well, by the same address
    return "port" if not unreached and _NO_PORT.search(text) else ""


def _prepare(domain: libvirt.virDomain, downtime_ms: int) -> None:
    try:
        domain.migrateSetMaxDowntime(downtime_ms)
    except libvirt.libvirtError:
        return  # an older libvirt takes it only on the way; the first look tells it


def _steer(channel: Channel, conn: libvirt.virConnect, trip: Trip, call: _Call) -> None:
    pause_s = _FIRST_LOOK_S
    while not call.ended.wait(pause_s):
        pause_s = min(_LOOK_S, pause_s * 2)
        _hear(channel, conn, trip.uuid)
        _tell(channel, conn, trip.uuid)
    channel.send(call.outcome)


def _watch(channel: Channel, conn: libvirt.virConnect, uuid: UUID) -> None:
    while _tell(channel, conn, uuid):
        if channel.poll(_LOOK_S):
            _hear(channel, conn, uuid)
    channel.send(Ended(None))


def _tell(channel: Channel, conn: libvirt.virConnect, uuid: UUID) -> bool:
    """Say how far it is; whether a migration is under way."""
    try:
        job: MigrationJob | None = migration.job(conn, uuid)
    except AppError:
        return False  # it has just gone
    if job is not None:
        channel.send(job)
    return job is not None


def _hear(channel: Channel, conn: libvirt.virConnect, uuid: UUID) -> None:
    while channel.poll(0):
        wish = channel.recv()
        try:
            _do(conn, uuid, wish)
        except AppError as error:
            channel.send(Refused(type(wish).__name__, error.detail))


def _do(conn: libvirt.virConnect, uuid: UUID, wish: object) -> None:
    match wish:
        case SetDowntime(milliseconds):
            migration.set_downtime(conn, uuid, milliseconds)
        case SetBandwidth(mib_s):
            migration.set_bandwidth(conn, uuid, mib_s)
        case StartPostCopy():
            migration.start_post_copy(conn, uuid)
        case Abort():
            migration.abort(conn, uuid)


def _params(trip: Trip) -> dict[str, Any]:
    told: dict[str, Any] = {libvirt.VIR_MIGRATE_PARAM_URI: trip.migrate_uri}
    if trip.xml:
        told[libvirt.VIR_MIGRATE_PARAM_DEST_XML] = trip.xml
    if trip.persistent_xml:
        told[libvirt.VIR_MIGRATE_PARAM_PERSIST_XML] = trip.persistent_xml
    if trip.copied:
        told[libvirt.VIR_MIGRATE_PARAM_MIGRATE_DISKS] = list(trip.copied)
        # The host of the other address; else libvirt takes the target's own name.
        told[libvirt.VIR_MIGRATE_PARAM_DISKS_URI] = trip.migrate_uri
    if trip.bandwidth_mib_s:
        told[libvirt.VIR_MIGRATE_PARAM_BANDWIDTH] = trip.bandwidth_mib_s
        if trip.post_copy:  # else it would have no limit from there on
            told[_POST_COPY_BANDWIDTH] = trip.bandwidth_mib_s
    if trip.parallel > 1:
        told[libvirt.VIR_MIGRATE_PARAM_PARALLEL_CONNECTIONS] = trip.parallel
    if trip.compression:
        told[libvirt.VIR_MIGRATE_PARAM_COMPRESSION] = ["xbzrle"]
    return told


def _flags(trip: Trip, domain: libvirt.virDomain) -> int:
    flags = libvirt.VIR_MIGRATE_LIVE
    # Nobody may change it on the way; peer to peer libvirt sees to that itself.
    flags |= (
        libvirt.VIR_MIGRATE_PEER2PEER
        if trip.target_uri
        else libvirt.VIR_MIGRATE_CHANGE_PROTECTION
    )
    if domain.isPersistent():
        flags |= libvirt.VIR_MIGRATE_PERSIST_DEST | libvirt.VIR_MIGRATE_UNDEFINE_SOURCE
    if trip.copied:
        flags |= libvirt.VIR_MIGRATE_NON_SHARED_DISK
    wished = {
        # libvirt believes only network file systems; we have seen that it is shared.
        libvirt.VIR_MIGRATE_UNSAFE: trip.shared_disks,
        libvirt.VIR_MIGRATE_AUTO_CONVERGE: trip.auto_converge,
        libvirt.VIR_MIGRATE_POSTCOPY: trip.post_copy,
        libvirt.VIR_MIGRATE_POSTCOPY_RESUME: trip.resumes,
        libvirt.VIR_MIGRATE_COMPRESSED: trip.compression,
        libvirt.VIR_MIGRATE_PARALLEL: trip.parallel > 1,
        libvirt.VIR_MIGRATE_TLS: trip.tls,
    }
    return int(flags | sum(flag for flag, wanted in wished.items() if wanted))
