"""Verbs about a migration that is under way, was, or may be: for `host.run`.

The long call itself stands in `migration_jobs`. Whoever migrated, libvirt's own jobs
tell of it, so these answer for a migration that somebody began with virsh as well.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import libvirt

from kvmweb.errors import Conflict, NotFound
from kvmweb.virt.connection import CHANGE_S, DESTROY_S, READ_S, verb
from kvmweb.virt.domains import domain_of
from kvmweb.virt.errors import explaining
from kvmweb.virt.facts import state_of
from kvmweb.virt.types import DomainState

OUT = libvirt.VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT
IN = libvirt.VIR_DOMAIN_JOB_OPERATION_MIGRATION_IN
_NO_JOB = (libvirt.VIR_DOMAIN_JOB_NONE,)
BROKEN = "postcopy failed"  # libvirt's word where post-copy broke off, on either host
# libvirt's words for an end of a migration that does not run the guest, or not alone.
_HALF = frozenset({"migration", "starting up", "postcopy", BROKEN})
_DIRTY_S = 1


@dataclass(frozen=True, slots=True)
class MigrationJob:
    """How far a migration is, or how it was. None where libvirt did not say."""

    elapsed_ms: int
    memory_total_bytes: int
    memory_sent_bytes: int
    memory_left_bytes: int
    disk_total_bytes: int
    disk_sent_bytes: int
    disk_left_bytes: int
    memory_rate_bytes_s: int | None
    disk_rate_bytes_s: int | None
    dirty_bytes_s: int | None
    iteration: int | None
    throttle_percent: int | None
    downtime_ms: int | None  # so far expected, or as it was
    finished: bool  # it is a record of one that has ended

    @property
    def sent_bytes(self) -> int:
        """All that passed the wire."""
        return self.memory_sent_bytes + self.disk_sent_bytes

    @property
    def left_bytes(self) -> int:
        """All that is to be sent still, as far as is known now."""
        return self.memory_left_bytes + self.disk_left_bytes


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """What one host says of a guest, looked at for a move."""

    state: DomainState
    reason: str
    active: bool
    persistent: bool
    autostart: bool
    managed_save: bool
    snapshots: int
    job: str  # "out", "in", another job's number, or "" for none

    @property
    def half(self) -> bool:
        """Whether it is there only as one end of a migration: stopped on purpose."""
        return self.state == DomainState.PAUSED and self.reason in _HALF

    @property
    def whole(self) -> bool:
        """Whether this host really has it: running, or paused as somebody wished."""
        return self.active and not self.half and self.job != "in"


@verb(deadline_s=READ_S)
def whereabouts(conn: libvirt.virConnect, uuid: UUID) -> Whereabouts | None:
    """What this host says of the guest; None when it does not know it."""
    try:
        with domain_of(conn, uuid, "ask for the state of {}") as domain:
            state, reason = state_of(*domain.state())
            active = bool(domain.isActive())
            persistent = bool(domain.isPersistent())
            return Whereabouts(
                state=state,
                reason=reason,
                active=active,
                persistent=persistent,
                autostart=persistent and bool(domain.autostart()),
                managed_save=bool(domain.hasManagedSaveImage(0)),
                snapshots=int(domain.snapshotNum(0)),
                job=_job_of(domain) if active else "",
            )
    except NotFound:
        return None


@verb(deadline_s=READ_S)
def job(conn: libvirt.virConnect, uuid: UUID) -> MigrationJob | None:
    """The migration that is under way from this host; None when there is none.

    One that broke off in post-copy is none, though libvirt keeps its job for ever.
    """
    with domain_of(conn, uuid, "ask for the migration of {}") as domain:
        _, reason = state_of(*domain.state())
        return None if reason == BROKEN else job_of(domain)


@verb(deadline_s=READ_S)
def broken_job(conn: libvirt.virConnect, uuid: UUID) -> MigrationJob | None:
    """The same of one that libvirt has given up: QEMU may go on with it by itself."""
    with domain_of(conn, uuid, "ask for the migration of {}") as domain:
        return job_of(domain)


@verb(deadline_s=READ_S)
def completed_job(conn: libvirt.virConnect, uuid: UUID) -> MigrationJob | None:
    """How the last migration to this host went; None when it knows of none."""
    with domain_of(conn, uuid, "ask how {} was moved") as domain:
        told = domain.jobStats(
            libvirt.VIR_DOMAIN_JOB_STATS_COMPLETED
            | libvirt.VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED
        )
    if told.get("type", 0) in _NO_JOB or told.get("operation", IN) not in {IN, OUT}:
        return None
    return read(told, finished=True)


@verb(deadline_s=READ_S)
def set_downtime(conn: libvirt.virConnect, uuid: UUID, milliseconds: int) -> None:
    """How long it may stand still at the end of the migration under way."""
    with domain_of(conn, uuid, "let {} stand still for longer") as domain:
        domain.migrateSetMaxDowntime(milliseconds)


@verb(deadline_s=READ_S)
def set_bandwidth(conn: libvirt.virConnect, uuid: UUID, mib_s: int) -> None:
    """How much its migration may send in a second."""
    with domain_of(conn, uuid, "change the speed at which {} moves") as domain:
        domain.migrateSetMaxSpeed(mib_s)


@verb(deadline_s=READ_S)
def start_post_copy(conn: libvirt.virConnect, uuid: UUID) -> None:
    """Let it run on the target now; its memory follows. There is no way back."""
    with domain_of(conn, uuid, "let {} go on at its target") as domain:
        domain.migrateStartPostCopy(0)


@verb(deadline_s=DESTROY_S)
def abort(conn: libvirt.virConnect, uuid: UUID) -> None:
    """Ask the migration to stop: the guest goes on at its source."""
    with domain_of(conn, uuid, "stop the migration of {}") as domain:
        domain.abortJob()


@verb(deadline_s=CHANGE_S)
def discard_half(conn: libvirt.virConnect, uuid: UUID) -> bool:
    """End a guest that waits here for a migration which will not come any more.

    Whether there was one. Raises Conflict when it is more than that: it stays.
    """
    found = whereabouts(conn, uuid)
    if found is None or not found.active:
        return False
    with domain_of(conn, uuid, "end what is left of the move of {}") as domain:
        if not found.half:
            message = f"{domain.name()} is {found.state} here: it is left alone."
            raise Conflict(message)
        domain.destroy()
    return True


@verb(deadline_s=CHANGE_S)
def dirty_rate(conn: libvirt.virConnect, uuid: UUID) -> int | None:
    """How many bytes of its memory it writes in a second; None where nobody measures.

    Takes a second; the answer is of about the last one.
    """
    with domain_of(conn, uuid, "measure how fast {} changes its memory") as domain:
        domain.startDirtyRateCalc(_DIRTY_S, 0)
        for _ in range(30):
            told = _dirty_stats(conn, domain)
            if (
                told.get("dirtyrate.calc_status")
                == libvirt.VIR_DOMAIN_DIRTYRATE_MEASURED
            ):
                return int(told.get("dirtyrate.megabytes_per_second", 0)) << 20
            time.sleep(0.1)
    return None


@verb(deadline_s=READ_S)
def compare_cpu(conn: libvirt.virConnect, cpu_xml: str) -> bool:
    """Whether the host can give a guest this CPU, as its running document has it."""
    with explaining("compare the CPUs"):
        told = conn.compareCPU(cpu_xml, 0)
    return int(told) in {
        libvirt.VIR_CPU_COMPARE_IDENTICAL,
        libvirt.VIR_CPU_COMPARE_SUPERSET,
    }


def job_of(domain: libvirt.virDomain) -> MigrationJob | None:
    """The migration that is under way from its host. Raises libvirtError."""
    told = domain.jobStats()
    if told.get("type", 0) in _NO_JOB or told.get("operation", 0) not in {IN, OUT}:
        return None
    return read(told, finished=False)


def read(told: Mapping[str, Any], *, finished: bool) -> MigrationJob:
    """Libvirt's numbers of a job, as ours."""
    page = told.get("memory_page_size")
    dirty = told.get("memory_dirty_rate")
    return MigrationJob(
        elapsed_ms=int(told.get("time_elapsed_net", told.get("time_elapsed", 0))),
        memory_total_bytes=int(told.get("memory_total", 0)),
        memory_sent_bytes=int(told.get("memory_processed", 0)),
        memory_left_bytes=int(told.get("memory_remaining", 0)),
        disk_total_bytes=int(told.get("disk_total", 0)),
        disk_sent_bytes=int(told.get("disk_processed", 0)),
        disk_left_bytes=int(told.get("disk_remaining", 0)),
        memory_rate_bytes_s=told.get("memory_bps"),
        disk_rate_bytes_s=told.get("disk_bps"),
        dirty_bytes_s=dirty * page if dirty is not None and page else None,
        iteration=told.get("memory_iteration"),
        throttle_percent=told.get("auto_converge_throttle"),
        downtime_ms=told.get("downtime_net", told.get("downtime")),
        finished=finished,
    )


def _job_of(domain: libvirt.virDomain) -> str:
    try:
        told = domain.jobStats()
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_OPERATION_UNSUPPORTED:
            return "in"  # its numbers are had from the source alone, says libvirt
        raise
    if told.get("type", 0) in _NO_JOB:
        return ""
    operation = told.get("operation", 0)
    return {OUT: "out", IN: "in"}.get(operation, str(operation))


def _dirty_stats(conn: libvirt.virConnect, domain: libvirt.virDomain) -> dict[str, Any]:
    rows = conn.domainListGetStats([domain], libvirt.VIR_DOMAIN_STATS_DIRTYRATE, 0)
    return dict(rows[0][1]) if rows else {}
