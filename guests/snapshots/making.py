"""Making a snapshot: all of it comes true, or nothing of it stays."""

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from django.db.models import QuerySet

from guests.far import Far, far_guest, home_of
from guests.snapshots import means
from guests.snapshots.leftovers import lay_aside, unmake
from guests.snapshots.means import Layer, Means, Subject
from guests.snapshots.models import Snapshot
from hosts.models import Host
from hosts.services import address_of
from hosts.storage import holdings
from hosts.storage.appearing import until_row
from kvmweb.errors import (
    AppError,
    Cancelled,
    Conflict,
    HostError,
    HostTimeout,
    HostUnreachable,
    NotFound,
)
from kvmweb.operations.registry import Recovery
from kvmweb.operations.run import Run
from kvmweb.virt import connection, domains, snapshots, surveying
from kvmweb.virt.snapshot_types import Survey, Wanted
from kvmweb.virt.types import DomainState, JobFacts

BACK_S = 90.0  # how long a host that went away is waited for
_SEEN_S = 10.0
_JOB_S = 600.0
_LISTED_S = 20.0
_LOOK_S = 0.5
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,80}")
_ON = {DomainState.RUNNING.value, DomainState.PAUSED.value}


def make(run: Run) -> dict[str, Any]:
    """Make the snapshot that is asked for. Raises Conflict, HostError, Cancelled."""
    name = run.params["name"]
    with far_guest(run) as far:
        survey: Survey = far.run(surveying.survey)
        chosen = means.choose(_subject(survey), memory=bool(run.params["memory"]))
        wanted = _wanted(run, survey, chosen)
        run.keep(begun=True, wanted=asdict(wanted), state=survey.state)
        for path in _files(wanted):
            holdings.building(far.host, path, run.operation)
        run.progress(
            0.1, "keeping memory and disks" if chosen.memory else "keeping disks"
        )
        known = _created(run, far, wanted)
    if not known and not _outcome(run, _again(run.result["wanted"])):
        raise _unfinished(run, name)
    return _finished(run, _again(run.result["wanted"]))


def recover(run: Run) -> Recovery:
    """After a crash: whole, it is done; else what is left of it is taken away."""
    told = run.result.get("wanted")
    if told is None:
        return Recovery.AGAIN  # nothing was asked of the host yet
    wanted = _again(told)
    if not _outcome(run, wanted):
        raise _unfinished(run, wanted.name)
    _finished(run, wanted)
    return Recovery.DONE


@contextmanager
def patiently(run: Run) -> Iterator[Far]:
    """The guest on its host, which may have to come back first. Raises HostError."""
    until = time.monotonic() + BACK_S
    while True:
        try:
            with far_guest(run) as far:
                far.state()
                break
        except (HostUnreachable, Conflict):
            if time.monotonic() > until:
                raise
            run.progress(0.5, "waiting for its host")
            time.sleep(1)
    with far_guest(run) as far:
        yield far


def until_seen(
    run: Run, home: Host, true: Callable[[QuerySet[Snapshot]], bool]
) -> None:
    """Until the watcher has written what is true by now, if one watches; not for long."""
    if not home.watcher:
        return
    rows = Snapshot.objects.filter(guest=run.operation.guest)
    try:
        until_row(lambda: true(rows.all()) or None, within_s=_SEEN_S, say="")
    except HostTimeout:
        run.log("Its host has not been seen to say so yet.")


def stem_of(survey: Survey, uuid: object) -> str:
    """What names of the guest's files begin with."""
    return survey.name if _PLAIN.fullmatch(survey.name) else str(uuid)


def folder_for(survey: Survey, path: str) -> str:
    """Where a file that belongs to the disk at this path is laid down.

    Beside it, if a pool of files is there, else in the one with most space. Raises
    Conflict when the host has none.
    """
    beside = path.rpartition("/")[0]
    if any(folder.path == beside for folder in survey.folders):
        return beside
    most = max(survey.folders, key=lambda it: it.available_bytes, default=None)
    if most is None:
        raise Conflict(
            f"The host of {survey.name} has no pool of files to keep a snapshot in.",
            hint="Add a pool of the type dir there.",
        )
    return most.path


def _subject(survey: Survey) -> Subject:
    return Subject(
        name=survey.name,
        state=survey.state,
        persistent=survey.persistent,
        virt_type=survey.virt_type,
        firmware=survey.firmware,
        disks=[
            Layer(it.target, it.device, it.kind, it.format or "raw", it.writable)
            for it in survey.disks
        ],
        kinds={each.kind for each in survey.snapshots},
    )


def _wanted(run: Run, survey: Survey, chosen: Means) -> Wanted:
    """The snapshot with a new file for each disk; its names belong to this operation."""
    name = run.params["name"]
    stem = f"{stem_of(survey, run.operation.guest)}.{name}.{run.operation.pk.hex[:8]}"
    paths = {disk.target: disk.path for disk in survey.disks}
    first = paths[chosen.targets[0]] if chosen.targets else ""
    outside = chosen.external and chosen.memory
    return Wanted(
        name=name,
        description=run.params.get("description", ""),
        external=chosen.external,
        memory=chosen.memory,
        overlays=tuple(
            (target, f"{folder_for(survey, paths[target])}/{stem}.{target}.qcow2")
            for target in (chosen.targets if chosen.external else ())
        ),
        left_out=chosen.left_out,
        memory_path=f"{folder_for(survey, first)}/{stem}.memory" if outside else "",
        quiesce=chosen.external and not chosen.memory and survey.agent,
    )


def _again(told: dict[str, Any]) -> Wanted:
    overlays = tuple((target, path) for target, path in told["overlays"])
    return Wanted(**{**told, "overlays": overlays, "left_out": tuple(told["left_out"])})


def _files(wanted: Wanted) -> list[str]:
    paths = [path for _, path in wanted.overlays]
    return [*paths, wanted.memory_path] if wanted.memory_path else paths


def _created(run: Run, far: Far, wanted: Wanted) -> bool:
    """Whether it was made; False when nobody knows. Raises what kept it from being made."""
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(far.run, snapshots.create, wanted)
        stopped = _watch(run, far, call)
        error = call.exception()
    if error is None:
        return True
    if isinstance(error, HostTimeout):
        run.log(error.detail)
        return False
    if wanted.quiesce and isinstance(error, HostError):
        run.log(f"Its agent could not freeze it: {error.detail}")
        _thaw(run)
        return _without_agent(run, wanted)
    if isinstance(error, AppError):
        _take_away(run, wanted, sure=True)
    raise stopped or error


def _without_agent(run: Run, wanted: Wanted) -> bool:
    """Once more, as if its plug were pulled: what most file systems bear."""
    plain = _again({**asdict(wanted), "quiesce": False})
    run.keep(wanted=asdict(plain))
    with far_guest(run) as far:
        if _stands(far.run(surveying.survey), plain):
            return False  # all but the thaw came true
        return _created(run, far, plain)


def _watch(run: Run, far: Far, call: "Future[Any]") -> Cancelled | None:
    """Tell progress until the call ends; the wish to stop, if there was one."""
    stopped: Cancelled | None = None
    while not wait([call], _LOOK_S).done:
        stopped = stopped or _wish(run)
        try:
            with connection.connect(address_of(far.host)) as second:
                if stopped:
                    second.run(domains.abort_job, far.uuid)
                elif job := second.run(domains.job, far.uuid):
                    done = job.processed_bytes / max(job.total_bytes, 1)
                    run.progress(0.1 + 0.8 * min(done, 1))
        except AppError:
            continue  # progress is a courtesy, and the wish is passed on next time
    return stopped


def _wish(run: Run) -> Cancelled | None:
    try:
        run.check_cancelled()
    except Cancelled:
        name = run.operation.guest_name
        return Cancelled(f"The snapshot was stopped; {name} goes on as it was.")
    return None


def _outcome(run: Run, wanted: Wanted) -> bool:
    """Whether the snapshot is whole. What is left of one that is not is taken away."""
    with patiently(run) as far:
        survey = _settled(run, far, wanted)
        _go_on(run, far, survey, wanted)
        if wanted.name in {each.name for each in survey.snapshots}:
            return True
        if wanted.overlays and _stands(survey, wanted):
            far.run(snapshots.adopt, wanted)
            run.log("Its files were there without a record of it: it was written anew.")
            return True
    _take_away(run, wanted, sure=survey.state not in _ON)
    return False


def _settled(run: Run, far: Far, wanted: Wanted) -> Survey:
    """How it is once libvirt, which goes on without us, has ended.

    It lists a snapshot from the beginning, and the guest goes on from it at the end.
    """
    until = time.monotonic() + _JOB_S
    listed_until = time.monotonic() + _LISTED_S
    while True:
        survey: Survey = far.run(surveying.survey)
        named = [each for each in survey.snapshots if each.name == wanted.name]
        waiting = named and not named[0].current and time.monotonic() < listed_until
        if not (waiting or _job(far)) or time.monotonic() > until:
            return survey
        run.progress(0.5, "the host goes on with it")
        time.sleep(_LOOK_S)


def _stands(survey: Survey, wanted: Wanted) -> bool:
    """Whether the guest writes to the new files already."""
    paths = {disk.target: disk.chain for disk in survey.disks}
    return all(path in paths.get(target, ()) for target, path in wanted.overlays)


def _job(far: Far) -> JobFacts | None:
    try:
        job: JobFacts | None = far.run(domains.job)
    except (Conflict, NotFound):
        return None
    return job


def _go_on(run: Run, far: Far, survey: Survey, wanted: Wanted) -> None:
    """A guest that was stopped or frozen for it goes on, whatever became of it."""
    if wanted.quiesce:
        _thaw(run)
    paused = survey.state == DomainState.PAUSED
    if paused and run.result.get("state") == DomainState.RUNNING:
        far.again(domains.resume)
        run.log(f"{survey.name} was left paused, and goes on now.")


def _thaw(run: Run) -> None:
    try:
        with far_guest(run) as far:
            far.run(snapshots.thaw)
    except AppError as error:
        run.log(f"Its agent was asked to thaw it: {error.detail}")


def _take_away(run: Run, wanted: Wanted, *, sure: bool) -> None:
    """Clear away what is left. `sure`: the host knows which files its QEMU writes to."""
    with far_guest(run) as far:
        if not wanted.external:
            far.run(snapshots.clear, wanted)
            return
        overlays = [path for _, path in wanted.overlays]
        for path in _files(wanted):
            if path in overlays and not sure and far.there.run(surveying.exists, path):
                # A libvirtd that died in this very moment may have left QEMU on it.
                lay_aside(run, far.host, path, for_ever=True)
                run.log(
                    f"{path} is in the trash and stays there until somebody deletes it: "
                    "whether the running guest writes to it is not known."
                )
                continue
            unmake(run, far.host, path)


def _unfinished(run: Run, name: str) -> Conflict:
    return Conflict(
        f"The snapshot {name} of {run.operation.guest_name} was interrupted before it was "
        "whole, and does not exist.",
        hint="Ask for it again.",
    )


def _finished(run: Run, wanted: Wanted) -> dict[str, Any]:
    home = home_of(run)
    for _, path in wanted.overlays:
        holdings.ready(home, path, format="qcow2")
    if wanted.memory_path:
        holdings.ready(home, wanted.memory_path)
    until_seen(
        run, home, lambda rows: rows.filter(name=wanted.name, current=True).exists()
    )
    how = "beside its disks" if wanted.external else "inside its disks"
    what = "memory and disks" if wanted.memory else "disks"
    run.say(
        f"The snapshot {wanted.name} of {run.operation.guest_name} was made: {what}, {how}."
    )
    return {
        "snapshot": wanted.name,
        "kind": "external" if wanted.external else "internal",
        "memory": wanted.memory,
        "frozen": wanted.quiesce,
    }
