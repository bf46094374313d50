"""A move under way: its numbers told, its ladder climbed, the wish to stop passed on."""

import time
from dataclasses import dataclass, field

from guests.migration import ladder
from guests.migration.ladder import Course, Seen
from guests.migration.wishes import MoveWish
from kvmweb.errors import Cancelled, HostTimeout
from kvmweb.operations.run import Run
from kvmweb.virt.children import Child
from kvmweb.virt.migration import MigrationJob
from kvmweb.virt.migration_jobs import (
    Abort,
    Ended,
    Refused,
    SetDowntime,
    StartPostCopy,
)

_SILENT_S = 45.0  # longer than libvirt's own keepalive needs
_LOOK_S = 0.25
_KEEP_EVERY_S = 1.0
_BEGIN, _END = 0.1, 0.95  # the part of the whole that is told here
_MIB = 1024**2


@dataclass(slots=True)
class Watched:
    """What was seen of a move."""

    ended: Ended | None = None
    last: MigrationJob | None = None
    course: Course = field(default_factory=Course)
    cancelled: bool = False
    dirty_bytes_s: int = 0  # the fastest that was seen
    seen_downtime_ms: int | None = None  # by a client; None where nobody could look


def follow(
    run: Run, child: Child, wish: MoveWish, *, post_copied: bool = False
) -> Watched:
    """Watch and steer until the child says that it has ended, or says nothing any more.

    `post_copied`: it runs at its target already, and only the rest of it comes.
    Raises nothing of the move's own: `ended.error` has it.
    """
    course = Course(downtime_ms=ladder.start(wish).downtime_ms, post_copied=post_copied)
    watched = Watched(course=course)
    begun = heard = time.monotonic()
    kept = float("-inf")
    while watched.ended is None:
        _pass_on_cancel(run, child, watched)
        try:
            if not child.channel.poll(_LOOK_S):
                if time.monotonic() - heard > _SILENT_S:
                    watched.ended = _lost("The source has said nothing for too long.")
                continue
            said = child.channel.recv()
        except (EOFError, OSError):
            watched.ended = _lost("Our own process that moved it ended.")
            continue
        heard = time.monotonic()
        kept = _heard(run, child, wish, watched, said, (heard - begun, kept))
    return watched


def _heard(
    run: Run,
    child: Child,
    wish: MoveWish,
    watched: Watched,
    said: object,
    times: tuple[float, float],
) -> float:
    """Take what the child said; `times`: now, and when numbers were kept last."""
    at_s, kept = times
    match said:
        case Ended():
            watched.ended = said
        case MigrationJob():
            _steer(run, child, wish, watched, _seen(said, at_s))
            kept = _told(run, watched, said, kept)
        case Refused(wished, why):
            run.log(f"{wished} was refused: {why}")
    return kept


def _steer(
    run: Run, child: Child, wish: MoveWish, watched: Watched, seen: Seen
) -> None:
    if watched.cancelled:
        return
    watched.course, step = ladder.step(wish, watched.course, seen)
    if step.downtime_ms:
        run.log(
            f"Round {seen.round}, {_mib(seen.left_bytes)} left: it may stand still for "
            f"{step.downtime_ms} ms."
        )
        child.channel.send(SetDowntime(step.downtime_ms))
    if step.post_copy:
        run.log("It goes on at its target now; the rest of its memory follows.")
        run.keep(post_copied=True)  # its disks there are the newer ones from now on
        child.channel.send(StartPostCopy())
    if step.give_up:
        run.log(f"{step.give_up} The move is stopped.")
        child.channel.send(Abort())


def _pass_on_cancel(run: Run, child: Child, watched: Watched) -> None:
    if watched.cancelled:
        return
    try:
        run.check_cancelled()
    except Cancelled:
        watched.cancelled = True
        if watched.course.post_copied:
            run.log("It cannot be stopped any more: it runs at its target already.")
            return
        run.progress(0, "stopping")
        try:
            child.channel.send(Abort())
        except OSError:
            return  # it has ended


def _seen(job: MigrationJob, at_s: float) -> Seen:
    rounds = job.iteration or 0
    if job.disk_left_bytes and not job.memory_sent_bytes:
        rounds = 0  # disks go first
    return Seen(
        at_s=at_s,
        round=rounds,
        left_bytes=job.memory_left_bytes,
        rate_bytes_s=job.memory_rate_bytes_s or 0,
        sent_bytes=job.sent_bytes,
    )


def _told(run: Run, watched: Watched, job: MigrationJob, kept: float) -> float:
    """Tell how far it is; when that was written down last."""
    watched.last = job
    watched.dirty_bytes_s = max(watched.dirty_bytes_s, job.dirty_bytes_s or 0)
    now = time.monotonic()
    if now - kept > _KEEP_EVERY_S:
        kept = now
        run.keep(now=_numbers(job))
    total = job.memory_total_bytes + job.disk_total_bytes
    done = 1 - min(1.0, job.left_bytes / total) if total else 0.0
    run.progress(_BEGIN + (_END - _BEGIN) * done, _phase(watched, job))
    return kept


def _numbers(job: MigrationJob) -> dict[str, int | None]:
    """For pages: where it is now."""
    rate = _rate(job)
    return {
        "memory_left_bytes": job.memory_left_bytes,
        "disk_left_bytes": job.disk_left_bytes,
        "total_bytes": job.memory_total_bytes + job.disk_total_bytes,
        "sent_bytes": job.sent_bytes,
        "rate_bytes_s": rate,
        "dirty_bytes_s": job.dirty_bytes_s,
        "iteration": job.iteration,
        "throttle_percent": job.throttle_percent,
        "seconds_left": job.left_bytes // rate if rate else None,
    }


def _phase(watched: Watched, job: MigrationJob) -> str:
    if watched.cancelled and not watched.course.post_copied:
        return "stopping"
    if watched.course.post_copied:
        return f"runs at its target; {_mib(job.memory_left_bytes)} follow"
    if job.disk_left_bytes and not job.memory_sent_bytes:
        return f"copying disks, {_mib(job.disk_left_bytes)} left"
    round_ = f", round {job.iteration}" if job.iteration and job.iteration > 1 else ""
    return f"sending memory, {_mib(job.memory_left_bytes)} left{round_}"


def _rate(job: MigrationJob) -> int:
    if job.disk_left_bytes and not job.memory_sent_bytes:
        return job.disk_rate_bytes_s or 0
    return job.memory_rate_bytes_s or 0


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / _MIB:.0f} MiB"


def _lost(why: str) -> Ended:
    return Ended(HostTimeout(f"{why} What came true is asked of both hosts."))
