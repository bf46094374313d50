"""The disks that go along: volumes made on the target first, taken away when it failed."""

import json
import time
from dataclasses import asdict, replace
from pathlib import PurePosixPath
from uuid import UUID

from guests.migration.journey import CopiedDisk, Journey
from hosts.models import Pool
from hosts.services import address_of
from hosts.storage import copying, holdings, passing
from hosts.storage.places import path_of
from hosts.storage.sharing import Sharing
from hosts.vault import open_text, seal_text
from kvmweb.errors import AppError, Conflict, NotFound
from kvmweb.virt import (
    cloning,
    connection,
    migration_luggage,
    pools,
    storage,
    volumes,
)
from kvmweb.virt.migration_luggage import DiskHere, Luggage, SnapshotRecord
from kvmweb.virt.xml.copied import NewDisk

_MADE_BY, _MADE_TO = 0.02, 0.1
_PATIENCE_S = 20.0


def plan(journey: Journey, luggage: Luggage, targets: tuple[str, ...]) -> None:
    """Note which volumes the copies of these disks will be. Raises Conflict."""
    here = {disk.target: disk for disk in luggage.disks}
    journey.notes.disks = [_planned(journey, here[each]) for each in targets]
    journey.keep()


def make(journey: Journey) -> None:
    """Make the volumes, marked as half made. Raises Conflict when something is there."""
    run, target = journey.run, journey.target
    for number, disk in enumerate(journey.notes.disks):
        run.progress(_MADE_BY, f"making {disk.name} on {target.name}")
        holdings.building(target, disk.path, run.operation)
        # From here on there may be something to take away.
        run.keep(begun=True)
        with connection.connect(journey.there) as there:
            if there.run(storage.look_volume, disk.path) is not None:
                holdings.forget(target, disk.path)
                raise Conflict(f"{target.name} has a volume {disk.path} already.")
            # A copy stands alone. Mirroring a chain reads through it anyway, and what
            # it stands on may be used by others there, or be there under another name.
            made = there.run(
                volumes.create,
                UUID(disk.pool_uuid),
                disk.name,
                format=disk.format,
                capacity_bytes=disk.capacity_bytes,
            )
        if made.path != disk.path:  # only libvirt knew where it would be
            holdings.building(target, made.path, run.operation)
        kind = "block" if made.path.startswith("/dev/") else "file"
        journey.notes.disks[number] = replace(disk, path=made.path, kind=kind)
        journey.keep()
        run.log(f"{made.path} was made on {target.name}.")


def send(journey: Journey) -> None:
    """Copy the content of a guest that is off, disk by disk."""
    total = sum(disk.capacity_bytes for disk in journey.notes.disks) or 1
    before = 0
    for disk in journey.notes.disks:
        _sent(journey, disk, before, total)
        before += disk.capacity_bytes


def as_made(journey: Journey) -> dict[str, NewDisk]:
    """Where each copied disk lies on the target."""
    return {
        disk.target: NewDisk(disk.path, disk.format, disk.kind)
        for disk in journey.notes.disks
    }


def whole(journey: Journey) -> None:
    """The copies are used from now on: they are volumes like any other."""
    for disk in journey.notes.disks:
        holdings.ready(journey.target, disk.path, format=disk.format)


def take_away(journey: Journey) -> list[str]:
    """Delete what was made on the target; the paths of what could not be.

    Only for a guest that is known not to be there, and only what is still marked as
    made by this move: nobody else can have put anything in its place. Each stays marked
    until its host is seen to be rid of it; what is left is deleted when that answers
    (hosts.storage.tidying).
    """
    left = []
    for disk in journey.notes.disks:
        if not holdings.is_building(journey.target, disk.path, journey.operation):
            continue
        try:
            _discarded(journey, disk)
        except AppError as error:
            journey.run.log(f"{disk.path} is deleted later. {error}")
            left.append(disk.path)
    return left


def _discarded(journey: Journey, disk: CopiedDisk) -> None:
    """Delete it, with some patience: its host may be coming back just now."""
    until = time.monotonic() + _PATIENCE_S
    while True:
        try:
            with connection.connect(journey.there) as there:
                # Else it only seems to be gone.
                there.run(pools.need_active, UUID(disk.pool_uuid))
                there.run(volumes.discard, disk.path)
        except AppError:
            if time.monotonic() > until:
                raise
            time.sleep(1)
        else:
            return


def leave(journey: Journey) -> list[str]:
    """Delete the old disks of a guest that has moved with copies; what had to stay.

    Only those that nobody else uses, as far as every host that sees them can say.
    """
    kept = []
    for disk in journey.notes.disks:
        try:
            sharing = Sharing(journey.source, [disk.source])
            _need_unused(journey, sharing, disk)
            with connection.connect(journey.here) as here:
                here.run(storage.delete_volume, disk.source)
        except NotFound:
            continue
        except AppError as error:
            journey.run.log(f"{disk.source} stays on {journey.source.name}. {error}")
            kept.append(disk.source)
    return kept


def lay_aside(journey: Journey) -> None:
    """Take the records of its snapshots off the source, which moves nobody with them."""
    with connection.connect(journey.here) as here:
        found = here.run(migration_luggage.records, journey.guest)
        if not found:
            return
        journey.notes.snapshots = _sealed(found)
        journey.keep()
        here.run(migration_luggage.take_off, journey.guest)
    journey.run.log(f"The records of {len(found)} snapshots go along by themselves.")


def laid_aside(journey: Journey) -> tuple[SnapshotRecord, ...]:
    """The records that were taken off."""
    if not journey.notes.snapshots:
        return ()
    told = json.loads(open_text(journey.notes.snapshots))
    return tuple(SnapshotRecord(**each) for each in told)


def _sealed(found: tuple[SnapshotRecord, ...]) -> str:
    """They may hold passwords of screens, so only our key opens them."""
    return seal_text(json.dumps([asdict(each) for each in found]))


def _planned(journey: Journey, disk: DiskHere) -> CopiedDisk:
    place = PurePosixPath(disk.path)
    pools = Pool.objects.filter(host=journey.target, active=True)
    pool = pools.filter(target=str(place.parent)).first()
    if pool is None:
        raise Conflict(
            f"{journey.target.name} has no active storage pool at {place.parent} for the "
            f"disk {disk.target}.",
            hint="Make a pool there, or start the one that is there.",
        )
    return CopiedDisk(
        target=disk.target,
        source=disk.path,
        path=path_of(pool, place.name),
        pool_uuid=str(pool.uuid),
        name=place.name,
        format=disk.format,
        capacity_bytes=disk.capacity_bytes,
        stands=disk.stands,
    )


def _sent(journey: Journey, disk: CopiedDisk, before: int, total: int) -> None:
    run = journey.run
    run.check_cancelled()

    sent = journey.notes.sent_bytes

    def told(count: int) -> None:
        journey.notes.sent_bytes = sent + count
        done = (before + min(count, disk.capacity_bytes)) / total
        run.progress(_MADE_TO + 0.8 * done, f"copying {disk.name}")

    if not disk.stands:
        copying.copy(
            run,
            journey.source,
            disk.source,
            journey.target,
            disk.path,
            progress=told,
        )
        return
    alone = _made_alone(journey, disk)
    try:
        copying.copy(
            run, journey.source, alone, journey.target, disk.path, progress=told
        )
    finally:
        with connection.connect(journey.here) as here:
            here.run(volumes.discard, alone)
        holdings.forget(journey.source, alone)


def _made_alone(journey: Journey, disk: CopiedDisk) -> str:
    """A copy on the source that stands on nothing, to be sent and deleted again."""
    run = journey.run
    rows = Pool.objects.filter(host=journey.source, active=True)
    pool = rows.filter(volumes__path=disk.source).first()
    if pool is None:
        raise Conflict(
            f"{disk.source} lies in no storage pool of {journey.source.name}, so its "
            "host cannot read what it stands on.",
            hint="Add a pool for the place where it lies, or start the guest and move "
            "it live.",
        )
    name = f"moving-{run.operation.pk.hex[:12]}.{disk.target}"
    path = path_of(pool, name)
    run.progress(_MADE_BY, f"making {disk.name} stand alone")
    holdings.building(journey.source, path, run.operation)
    with connection.connect(journey.here) as here:
        here.run(volumes.discard, path)  # of an attempt that was interrupted
    child = connection.spawn(
        cloning.clone,
        address_of(journey.source),
        cloning.Copy(pool.uuid, name, disk.source, disk.format, disk.format),
    )
    return passing.copied(run, child, lambda: None).path


def _need_unused(journey: Journey, sharing: Sharing, disk: CopiedDisk) -> None:
    """Nothing. Raises Conflict when another guest or volume needs the old disk.

    Rows may still show the guest itself there; its host knows better. The target is not
    asked: what lies there under the same path was seen to be another file.
    """
    sharing.need_answers()
    for host in sharing.hosts():
        if host == journey.target:
            continue
        with connection.connect(address_of(host)) as there:
            users = there.run(storage.users_of, (disk.source,))[disk.source]
            above = there.run(storage.standing_on, (disk.source,))
        if users or above:
            by = [user.name for user in users] or list(above.values())
            raise Conflict(
                f"{', '.join(by)} on {host.name} uses it."
                if users
                else f"{by[0]} stands on it."
            )
