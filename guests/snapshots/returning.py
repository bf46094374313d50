"""Going back to a snapshot: by libvirt where it can, else step by step on new files."""

from typing import Any

from guests.far import OFF, Far, home_of
from guests.snapshots.leftovers import lay_aside, unmake
from guests.snapshots.making import folder_for, patiently, stem_of, until_seen
from hosts.storage import holdings
from kvmweb.errors import AppError, Conflict, HostTimeout, HostUnreachable, NotFound
from kvmweb.operations.run import Run
from kvmweb.virt import (
    domains,
    reverting,
    snapshots,
    storage,
    surveying,
    volumes,
)
from kvmweb.virt.reverting import Paths
from kvmweb.virt.snapshot_types import SnapshotFacts, Survey
from kvmweb.virt.types import DomainState

_BEGUN = {DomainState.RUNNING, DomainState.PAUSED}


def go_back(run: Run) -> dict[str, Any]:
    """Make the guest what it was. Every step may be done twice.

    Raises NotFound when the snapshot is no more, Conflict, HostError.
    """
    name = run.params["name"]
    with patiently(run) as far:
        survey: Survey = far.run(surveying.survey)
        snapshot = _named(survey, name)
        by_libvirt = survey.libvirt_version >= snapshots.REVERTS_EXTERNAL
        if by_libvirt or snapshot.kind != "external":
            run.progress(0.2, "the host goes back")
            far.run(snapshots.revert, name)
        else:
            _on_new_files(run, far, survey, snapshot)
        state = far.state()
    until_seen(
        run, home_of(run), lambda rows: rows.filter(name=name, current=True).exists()
    )
    word = "off" if state in OFF else state
    run.say(f"{survey.name} is as it was at {name}, and {word}.")
    return {"snapshot": name, "state": str(state), "kept": run.result.get("left", [])}


def _named(survey: Survey, name: str) -> SnapshotFacts:
    for each in survey.snapshots:
        if each.name == name:
            return each
    raise NotFound(f"{survey.name} has no snapshot {name} any more.")


def _on_new_files(run: Run, far: Far, survey: Survey, snapshot: SnapshotFacts) -> None:
    """What libvirt before 9.9 cannot do. What the guest wrote since is not touched."""
    paths = _paths(run, survey, snapshot)
    if not _stands_on(survey, paths):
        _need_kept(far, snapshot)
        run.keep(begun=True, left=_leaves(survey))
        _lay_down(run, far, survey, snapshot, paths)
        try:
            _exchange(run, far, snapshot, paths)
        except (HostTimeout, HostUnreachable):
            raise  # what came true is not known; a second run finds out
        except AppError:
            for _, path in paths:
                unmake(run, far.host, path)
            raise
    for _, path in paths:
        holdings.ready(far.host, path, format="qcow2")
    run.progress(0.8, "saying where it goes on")
    far.run(reverting.settle, snapshot.name, paths)
    if snapshot.memory and far.state() not in _BEGUN:
        run.progress(0.6, "filling its memory")
        far.run(reverting.restore, snapshot.name, paths)
    _clear_away(run, far)


def _paths(run: Run, survey: Survey, snapshot: SnapshotFacts) -> Paths:
    """A new file for each disk of the snapshot; the names belong to this operation."""
    stem = f"{stem_of(survey, run.operation.guest)}.{run.operation.pk.hex[:8]}"
    return tuple(
        (disk.target, f"{folder_for(survey, disk.base)}/{stem}.{disk.target}.qcow2")
        for disk in snapshot.disks
        if disk.kind == "external"
    )


def _stands_on(survey: Survey, paths: Paths) -> bool:
    """Whether the guest is defined on the new files already."""
    now = {disk.target: disk.path for disk in survey.disks}
    return bool(paths) and all(now.get(target) == path for target, path in paths)


def _need_kept(far: Far, snapshot: SnapshotFacts) -> None:
    """Nothing. Raises Conflict when a file that the snapshot kept is no more."""
    files = [disk.base for disk in snapshot.disks if disk.kind == "external"]
    for path in [*files, *filter(None, [snapshot.memory_path])]:
        if path.startswith("/") and not far.there.run(surveying.exists, path):
            raise Conflict(
                f"{snapshot.name} kept {path}, and no pool of {far.host.name} has that "
                "file any more.",
                hint="Bring the file back, or delete the snapshot.",
            )


def _leaves(survey: Survey) -> list[str]:
    """The files that the guest writes to now."""
    return [disk.path for disk in survey.disks if disk.writable and disk.path]


def _lay_down(
    run: Run, far: Far, survey: Survey, snapshot: SnapshotFacts, paths: Paths
) -> None:
    """Empty files on top of what the snapshot kept."""
    run.progress(0.2, "making new files on what was kept")
    pools = {folder.path: folder.pool for folder in survey.folders}
    disks = {disk.target: disk for disk in snapshot.disks}
    for target, path in paths:
        disk = disks[target]
        folder, _, name = path.rpartition("/")
        kept = far.there.run(storage.look_volume, disk.base)
        if kept is None:
            raise Conflict(f"No pool of {far.host.name} holds {disk.base}.")
        if far.there.run(surveying.exists, path):
            continue  # made before our worker died
        holdings.building(far.host, path, run.operation)
        far.there.run(
            volumes.create,
            pools[folder],
            name,
            format="qcow2",
            capacity_bytes=kept.capacity_bytes,
            backing_path=kept.path,
            backing_format=disk.base_format or "raw",
        )


def _exchange(run: Run, far: Far, snapshot: SnapshotFacts, paths: Paths) -> None:
    run.progress(0.4, "stopping it")
    if far.state() not in OFF:
        far.make(domains.force_off, OFF)
        run.log(f"{run.operation.guest_name} was stopped.")
    run.progress(0.5, "defining it as it was")
    far.run(reverting.point, snapshot.name, paths)


def _clear_away(run: Run, far: Far) -> None:
    """Put what holds the state that was left into the trash, if no snapshot needs it."""
    survey: Survey = far.run(surveying.survey)
    needed = {disk.base for each in survey.snapshots for disk in each.disks}
    needed |= {path for disk in survey.disks for path in disk.chain}
    left = [path for path in run.result.get("left", []) if path not in needed]
    for path in left:
        lay_aside(run, far.host, path)
        run.log(f"{path}, with what it wrote since, is in the trash.")
    run.keep(left=left)
