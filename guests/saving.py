"""Saving a guest: a long call, watched and stopped from a second connection."""

import time
from concurrent.futures import Future, ThreadPoolExecutor, wait

from guests.far import OFF, Far, far_guest, state_afterwards
from hosts.services import address_of
from kvmweb.errors import (
    AppError,
    Cancelled,
    Conflict,
    HostError,
    HostTimeout,
    NotFound,
)
from kvmweb.operations.registry import Recovery
from kvmweb.operations.run import Run
from kvmweb.virt import connection, domains
from kvmweb.virt.types import JobFacts

_LONGEST_S = 6 * 3600.0  # a terabyte at 50 MiB a second
_LOOK_S = 0.5


def saved(run: Run) -> None:
    """Write the guest's memory to its host's disk; done when it is off.

    Raises Cancelled when somebody asked to stop and it runs on.
    """
    with far_guest(run) as far, ThreadPoolExecutor(1) as pool:
        if far.state() in OFF:
            return
        run.progress(0.05, "saving memory")
        call = pool.submit(far.there.within(_LONGEST_S).run, domains.save, far.uuid)
        stopped = _watch(run, far, call)
        try:
            call.result()
        except HostTimeout:
            if state_afterwards(far.host, far.uuid, OFF) not in OFF:
                raise
        except (Conflict, HostError):
            if stopped:
                raise stopped from None
            if far.state() not in OFF:
                raise


def outcome(run: Run) -> Recovery:
    """After a crash: libvirt goes on saving without us, so wait for the end of that."""
    with far_guest(run) as far:
        while far.state() not in OFF and _job(far):
            run.check_cancelled()
            run.progress(0.5, "saving goes on without its worker")
            time.sleep(_LOOK_S)
        if far.state() in OFF:
            run.say(f"{run.operation.guest_name} is off.")
            return Recovery.DONE
    return Recovery.AGAIN


def _job(far: Far) -> JobFacts | None:
    """The job under way; none either when the guest went off in this very moment."""
    try:
        job: JobFacts | None = far.run(domains.job)
    except (Conflict, NotFound):
        return None
    return job


def _watch(run: Run, far: Far, call: "Future[None]") -> Cancelled | None:
    """Tell progress until the call ends; the wish to stop, if there was one."""
    stopped: Cancelled | None = None
    while not wait([call], _LOOK_S).done:
        stopped = stopped or _wish(run)
        try:
            with connection.connect(address_of(far.host)) as second:
                if stopped:
                    second.run(domains.abort_job, far.uuid)
                    run.progress(0, "stopping")
                elif job := second.run(domains.job, far.uuid):
                    done = job.processed_bytes / max(job.total_bytes, 1)
                    run.progress(0.05 + 0.9 * done)
        except AppError:
            continue  # progress is a courtesy, and the wish is passed on next time
    return stopped


def _wish(run: Run) -> Cancelled | None:
    try:
        run.check_cancelled()
    except Cancelled:
        name = run.operation.guest_name
        return Cancelled(f"Saving was stopped; {name} goes on as it was.")
    return None
