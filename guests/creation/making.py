"""The steps from a plan to a guest that runs, and back when one of them fails."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

from guests import edits
from guests.book import announce
from guests.creation.blueprint import Blueprint, document
from guests.creation.parts import Disk
from guests.creation.plan import NewVolume, Plan, plan_of
from guests.creation.traces import Traces
from guests.edits import Edit
from guests.far import far_guest, state_afterwards
from guests.images import copying, seeding
from guests.images.models import Image
from guests.models import Guest
from hosts.models import Host, Pool
from hosts.storage import guarding, holdings
from hosts.storage.appearing import until_row
from hosts.storage.sharing import Sharing
from kvmweb.errors import AppError, Conflict, HostTimeout, NotFound
from kvmweb.operations.queue import LeaseLost
from kvmweb.operations.registry import Recovery
from kvmweb.operations.run import Run
from kvmweb.virt import domains, storage, volumes
from kvmweb.virt.types import DomainState, VolumeFacts

BEGUN = frozenset({DomainState.RUNNING, DomainState.PAUSED})
DEFINED = BEGUN | {DomainState.SHUTOFF, DomainState.CRASHED}
_ANY = frozenset(DomainState)
_SEEN_S = 15.0
_LATER = "It is taken away as soon as its host answers."


def make(run: Run) -> dict[str, Any]:
    """Make the guest of this operation and start it, if so wished.

    Raises what went wrong, once everything that had been made is taken away again; what
    could not be stays in `result["made"]`, for `tidying`.
    """
    plan = plan_of(run.params["plan"])
    traces = Traces(run)
    with undone_unless_whole(run, plan, traces):
        _need_disks_free(run, plan)
        blueprint = _stored(run, plan, traces)
        xml = str(document(blueprint, password=_password()))
        define(run, traces, blueprint.uuid, xml)
        start(run, autostart=plan.autostart, begin=plan.start)
    return stands(run, plan, traces)


def recover(run: Run) -> Recovery:
    """After a crash: a guest that stands is kept; half of one is taken away."""
    plan, traces = plan_of(run.params["plan"]), Traces(run)
    if is_whole(run, plan):
        run.result.update(stands(run, plan, traces))
        return Recovery.DONE
    if left := traces.take_away():
        raise Conflict(f"{_left(plan, left)}", hint=_LATER)
    return Recovery.AGAIN


def is_whole(run: Run, plan: Plan) -> bool:
    """Whether the guest is on its host as it was wished."""
    with far_guest(run, plan.blueprint.uuid) as far:
        return far.state() in (BEGUN if plan.start else DEFINED)


@contextmanager
def undone_unless_whole(run: Run, plan: Plan, traces: Traces) -> Iterator[None]:
    """Take away what the block made when it fails; whoever lost its lease touches nothing."""
    try:
        yield
    except LeaseLost:
        raise
    except BaseException as error:
        left = traces.take_away()
        if not left and plan.seed_pool is not None:
            left = discard_seed(run, plan)
        if isinstance(error, AppError):
            end = _left(plan, left) if left else "Nothing of it is left."
            error.detail = f"{plan.blueprint.name} was not made. {error.detail} {end}"
        raise


def define(run: Run, traces: Traces, uuid: UUID, xml: str) -> None:
    """Have the host know the guest of this UUID; nothing when it does already."""
    run.check_cancelled()
    run.progress(0.7, "defining")
    traces.domain(uuid)
    with far_guest(run, uuid) as far:
        if far.state() is not None:
            return
        try:
            far.there.run(domains.define, xml)
        except HostTimeout:
            if state_afterwards(far.host, uuid, _ANY) is None:
                raise
        run.log(f"{run.operation.guest_name} was defined on {far.host.name}.")


def start(run: Run, *, autostart: bool, begin: bool) -> None:
    """Have it start with its host, and power it on, if so wished."""
    with far_guest(run) as far:
        if autostart:
            far.run(domains.set_autostart, enabled=True)
        if begin:
            run.check_cancelled()
            run.progress(0.8, "starting")
            far.make(domains.start, BEGUN)


def stands(run: Run, plan: Plan, traces: Traces) -> dict[str, Any]:
    """The guest is there: its volumes are whole, and what is ours of it is written.

    Waits for the watcher to see it. Raises HostTimeout when it does not.
    """
    blueprint = plan.blueprint
    host = Host.objects.get(pk=plan.host)
    formats = {volume.path: volume.format for volume in plan.volumes}
    for path in traces.volumes:
        holdings.ready(host, path, format=formats.get(path, ""))
    run.progress(0.9, "waiting until it is seen")
    words = "is running" if plan.start else "is there"
    guest = until_row(
        lambda: _seen(plan),
        within_s=_SEEN_S,
        say=f"{blueprint.name} {words} on {plan.host_name}, which was not heard to say so "
        "yet; its owner and tags are not written down.",
    )
    ours = Edit(tags=blueprint.tags, owner=blueprint.owner, project=blueprint.project)
    if edits.apply(guest, ours):
        announce({guest.pk})
    traces.stand()
    run.say(f"{blueprint.name} {words} on {plan.host_name}.")
    return {"guest": str(blueprint.uuid), "host": plan.host}


def _stored(run: Run, plan: Plan, traces: Traces) -> Blueprint:
    """Its blueprint, once all volumes of it are made."""
    blueprint = plan.blueprint
    for number, volume in enumerate(plan.volumes):
        run.check_cancelled()
        run.progress(0.6 * number / len(plan.volumes), f"making {volume.name}")
        made = _volume(run, volume, traces)
        blueprint = _moved(blueprint, volume.path, made.path)
    if plan.seed_pool is None:
        return blueprint
    run.progress(0.65, "writing what it is told")
    bus = seeding.bus_beside([disk.bus for disk in blueprint.disks])
    path = seeding.write(run, blueprint.uuid, _pool(plan.seed_pool))
    cd = Disk(path=path, format="raw", device="cdrom", bus=bus)
    return replace(blueprint, disks=(*blueprint.disks, cd))


def _volume(run: Run, volume: NewVolume, traces: Traces) -> VolumeFacts:
    pool = _pool(volume.pool)
    with far_guest(run) as far:
        there = far.there.run(storage.look_volume, volume.path)
    if there is not None:
        raise Conflict(f"There is a volume {volume.path} on {pool.host.name} already.")
    holdings.building(pool.host, volume.path, run.operation)
    traces.volume(volume.path)
    made = _of_image(run, volume, pool) if volume.image else _blank(run, volume)
    if made.path != volume.path:  # only libvirt knew where it would be
        holdings.building(pool.host, made.path, run.operation)
        traces.volume(made.path)
    run.log(f"{made.path} was made.")
    return made


def _blank(run: Run, volume: NewVolume) -> VolumeFacts:
    with far_guest(run) as far:
        return far.there.run(
            volumes.create,
            volume.pool_uuid,
            volume.name,
            format=volume.format,
            capacity_bytes=volume.capacity_bytes,
        )


def _of_image(run: Run, volume: NewVolume, pool: Pool) -> VolumeFacts:
    """A disk that stands on the image's copy on this host, or is a copy of its own."""
    image = Image.objects.filter(pk=volume.image or 0).first()
    if image is None:
        raise NotFound(f"The image {volume.image_name} is not there any more.")
    base = copying.ensure(run, image, pool.host, pool)
    with far_guest(run) as far:
        if not volume.copy:
            return far.there.run(
                volumes.create,
                volume.pool_uuid,
                volume.name,
                format="qcow2",
                capacity_bytes=volume.capacity_bytes,
                backing_path=base.path,
                backing_format=base.format,
            )
        made = far.there.run(
            volumes.clone,
            volume.pool_uuid,
            volume.name,
            source_path=base.path,
            format=volume.format,
        )
        if volume.capacity_bytes > made.capacity_bytes:
            far.there.run(volumes.grow, made.path, volume.capacity_bytes)
        return made


def _need_disks_free(run: Run, plan: Plan) -> None:
    """Nothing. Raises Conflict when one of the volumes it takes is in use by now."""
    if plan.changes:
        run.progress(0.01, "looking who else uses its disks")
        host = Host.objects.get(pk=plan.host)
        paths = list(plan.changes)
        guarding.need_free_there(Sharing(host, paths), paths, "make it a disk")


def discard_seed(run: Run, plan: Plan) -> list[str]:
    """Take away what it was to be told; what could not be, as words."""
    try:
        seeding.discard(run, plan.blueprint.uuid)
    except AppError as error:
        run.log(f"Its cloud-init CD could not be taken away: {error}")
        return ["its cloud-init CD"]
    return []


def _left(plan: Plan, left: list[str]) -> str:
    return f"Left on {plan.host_name} until it answers: {', '.join(left)}."


def _moved(blueprint: Blueprint, planned: str, path: str) -> Blueprint:
    disks = (
        replace(disk, path=path) if disk.path == planned else disk
        for disk in blueprint.disks
    )
    return replace(blueprint, disks=tuple(disks))


def _seen(plan: Plan) -> Guest | None:
    """Its row, once the watcher has seen it as it shall be."""
    rows = Guest.objects.filter(pk=plan.blueprint.uuid, host=plan.host)
    return rows.filter(state__in=BEGUN if plan.start else DEFINED).first()


def _pool(pool_id: int) -> Pool:
    pool = Pool.objects.select_related("host").filter(pk=pool_id).first()
    if pool is None:
        raise NotFound("The storage pool it was planned for is not there any more.")
    return pool


def _password() -> str:
    """For its screen, until a ticket sets another; nobody is told this one."""
    return secrets.token_hex(4)
