"""The slow part of what is asked of snapshots."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from guests.far import Far, home_of
from guests.snapshots import leftovers, making, returning
from guests.snapshots.making import patiently, until_seen
from guests.work import allowed
from kvmweb.accounts.gate import Right
from kvmweb.errors import HostTimeout, NotFound
from kvmweb.operations.registry import Recovery, work
from kvmweb.operations.run import Run
from kvmweb.virt import merging, surveying
from kvmweb.virt.snapshot_types import Survey

_change = allowed(Right.SNAPSHOT)


@work("guest.snapshot", allowed=_change, recover=making.recover, cancellable=True)
def snapshot(run: Run) -> dict[str, Any]:
    """Keep it as it is now."""
    return making.make(run)


def _again(_run: Run) -> Recovery:
    """Every step of it may be done twice."""
    return Recovery.AGAIN


@work("guest.revert", allowed=_change, recover=_again)
def revert(run: Run) -> dict[str, Any]:
    """Make it what it was."""
    return _tried_twice(run, returning.go_back)


@work("guest.snapshot-delete", allowed=_change, recover=_again)
def delete(run: Run) -> dict[str, Any]:
    """Forget a snapshot; what it kept apart is merged into what came after."""
    return _tried_twice(run, _deleted)


def _tried_twice(run: Run, do: Callable[[Run], dict[str, Any]]) -> dict[str, Any]:
    """Do it, and once more where the host did not say what came of it."""
    try:
        return do(run)
    except HostTimeout as error:
        run.log(f"{error.detail} It is done once more.")
        run.keep(again=True)
        return do(run)


def _deleted(run: Run) -> dict[str, Any]:
    name = run.params["name"]
    subject = run.operation.guest_name
    try:
        with patiently(run) as far:
            survey: Survey = far.run(surveying.survey)
            aside = _laid_aside(run, far, survey, name)
            run.keep(left=[*aside, *_perhaps_left(survey, name)])
            run.progress(0.1, "merging what it kept")
            left = far.run(merging.delete, name, ignoring=tuple(aside))
            run.keep(left=[*aside, *left])
    except NotFound:
        if not (run.claim.taken_over or run.result.get("again")):
            raise
        run.log(f"{subject} has no snapshot {name} any more.")
    home = home_of(run)
    left = run.result.get("left", [])
    deleted = [path for path in left if leftovers.delete(run, home, path)]
    until_seen(run, home, lambda rows: not rows.filter(name=name).exists())
    run.say(f"The snapshot {name} of {subject} was deleted.")
    return {"snapshot": name, "deleted": deleted}


def _perhaps_left(survey: Survey, name: str) -> list[str]:
    """What may be left of it, should nobody be told: files in use are not deleted."""
    paths = _bases(survey, name)
    for each in survey.snapshots:
        if each.name == name:
            paths.append(each.memory_path)
    return [path for path in paths if path.startswith("/")]


def _bases(survey: Survey, name: str) -> list[str]:
    """The files that hold its disks as they were."""
    kept = [each for each in survey.snapshots if each.name == name]
    return [disk.base for each in kept for disk in each.disks if disk.overlay]


def _laid_aside(run: Run, far: Far, survey: Survey, name: str) -> list[str]:
    """What stands on its files in the trash: of no use to anybody without them."""
    if run.operation.guest is None:
        return []
    bases = _bases(survey, name)
    merged = [*bases, *_tops(survey, bases)]
    rows = leftovers.standing_on(far.host, run.operation.guest, merged)
    return [row.path for row in rows]


def _tops(survey: Survey, bases: list[str]) -> list[str]:
    """The files on top of these: they are merged into them, and are then no more."""
    chains = [disk.chain for disk in survey.disks]
    return [top for chain in chains for top, below in pairwise(chain) if below in bases]
