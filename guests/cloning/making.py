"""The steps from a plan to a clone: all of it comes true, or nothing of it stays."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from guests import edits
from guests.book import announce
from guests.cloning import identity, tidying
from guests.cloning.planning import Copy, Plan, plan_of, uuid_of
from guests.creation.making import BEGUN, DEFINED, define, start
from guests.creation.traces import Traces
from guests.edits import Edit
from guests.far import OFF, far_guest
from guests.images import seeding
from guests.models import Guest
from hosts.models import Host, Pool
from hosts.services import address_of
from hosts.storage import copying, holdings, passing
from hosts.storage.appearing import until_row
from kvmweb.errors import AppError, Conflict, NotFound
from kvmweb.operations.queue import LeaseLost
from kvmweb.operations.registry import Recovery
from kvmweb.operations.run import Run
from kvmweb.virt import cloning, connection, domains, reverting, storage, volumes
from kvmweb.virt.types import VolumeFacts
from kvmweb.virt.xml import copied as documents
from kvmweb.virt.xml.copied import Copied, NewDisk, Seat

_SEEN_S = 15.0


def make(run: Run) -> dict[str, Any]:
    """Make the clone of this operation, and start it if so wished.

    Raises what went wrong, once everything that had been made is taken away again.
    """
    plan, traces = plan_of(run.params["plan"]), Traces(run)
    with _undone_unless_whole(run, plan, traces):
        original = _original(run, plan)
        disks = {disk.target: _disk(run, plan, disk, traces) for disk in plan.disks}
        seat = _told(run, plan)
        copy = documents.copied(
            original,
            name=plan.name,
            uuid=uuid_of(plan),
            disks=disks,
            title=f"Clone of {plan.source_name}",
        )
        xml = documents.seated(
            copy.xml,
            seat,
            without=plan.dropped,
            eject=plan.elsewhere,
            password=secrets.token_hex(4),
        )
        define(run, traces, uuid_of(plan), xml)
        start(run, autostart=False, begin=plan.start)
    return _stands(run, plan, traces, copy)


def recover(run: Run) -> Recovery:
    """After a crash: a clone that stands is kept; half of one is taken away."""
    plan, traces = plan_of(run.params["plan"]), Traces(run)
    with far_guest(run) as far:
        state = far.state()
    if state in (BEGUN if plan.start else DEFINED):
        run.result.update(_stands(run, plan, traces, None))
        return Recovery.DONE
    if left := traces.take_away():
        raise Conflict(_left(plan, left))
    return Recovery.AGAIN


def tidied(run: Run) -> dict[str, Any]:
    """Keep the clone if it stands after all; else take away what there is of it."""
    plan = plan_of(run.params["plan"])
    if tidying.tidy(run):
        return _stands(run, plan, Traces(run), None)
    _forget_seed(run, plan)
    return {}


def _original(run: Run, plan: Plan) -> str:
    """Its document, with its passwords. Raises Conflict when it is another by now."""
    run.progress(0.05, "reading the original")
    home = _host(plan.source_host)
    uuid = UUID(plan.source)
    with connection.connect(address_of(home)) as there:
        state = there.run(domains.state, uuid)
        if state is None:
            raise NotFound(f"{home.name} does not know {plan.source_name} any more.")
        if state not in OFF:
            raise Conflict(
                f"{plan.source_name} is {state} by now: a copy would not be whole."
            )
        return there.run(reverting.document_of, uuid)


def _disk(run: Run, plan: Plan, disk: Copy, traces: Traces) -> NewDisk:
    run.check_cancelled()
    run.progress(0.1, f"making {disk.name}")
    host = _host(plan.host)
    if disk.path not in traces.volumes:
        _need_free(run, disk)
    holdings.building(host, disk.path, run.operation)
    traces.volume(disk.path)
    made = _made(run, plan, disk)
    if made.path != disk.path:  # only libvirt knew where it would be
        holdings.building(host, made.path, run.operation)
        traces.volume(made.path)
    run.log(f"{made.path} was made.")
    block = made.path.startswith("/dev/")
    return NewDisk(made.path, disk.format, "block" if block else "file")


def _need_free(run: Run, disk: Copy) -> None:
    with far_guest(run) as far:
        if far.there.run(storage.look_volume, disk.path) is not None:
            raise Conflict(f"There is a volume {disk.path} on {far.host.name} already.")


def _made(run: Run, plan: Plan, disk: Copy) -> VolumeFacts:
    if plan.linked:
        return _empty(run, disk, backing=disk.source)
    if plan.elsewhere:
        made = _empty(run, disk)
        copying.copy(
            run,
            _host(plan.source_host),
            disk.source,
            _host(plan.host),
            made.path,
            progress=lambda done: run.progress(
                0.1 + 0.5 * min(1.0, done / max(1, disk.capacity_bytes)), "copying"
            ),
        )
        return made
    child = connection.spawn(
        cloning.clone,
        address_of(_host(plan.host)),
        cloning.Copy(
            UUID(disk.pool_uuid),
            disk.name,
            disk.source,
            disk.source_format,
            disk.format,
        ),
    )
    return passing.copied(run, child, lambda: None)


def _empty(run: Run, disk: Copy, *, backing: str = "") -> VolumeFacts:
    with far_guest(run) as far:
        return far.there.run(
            volumes.create,
            UUID(disk.pool_uuid),
            disk.name,
            format=disk.format,
            capacity_bytes=disk.capacity_bytes,
            backing_path=backing,
            backing_format=disk.source_format if backing else "",
        )


def _told(run: Run, plan: Plan) -> Seat | None:
    """The CD that tells it who it is, if it has cloud-init."""
    if plan.seed_pool is None:
        return None
    run.progress(0.65, "writing what it is told")
    pool = Pool.objects.select_related("host").filter(pk=plan.seed_pool).first()
    if pool is None:
        raise NotFound("The storage pool it was planned for is not there any more.")
    return Seat(seeding.write(run, uuid_of(plan), pool), seeding.bus_beside)


def _stands(
    run: Run, plan: Plan, traces: Traces, copy: Copied | None
) -> dict[str, Any]:
    """It is there: its volumes are whole, and what is ours of it is written."""
    host = _host(plan.host)
    formats = {disk.path: disk.format for disk in plan.disks}
    for path in traces.volumes:
        holdings.ready(host, path, format=formats.get(path, ""))
    run.progress(0.9, "waiting until it is seen")
    words = "is running" if plan.start else "is there"
    states = BEGUN if plan.start else DEFINED
    rows = Guest.objects.filter(pk=uuid_of(plan), host=host, state__in=states)
    guest = until_row(
        rows.first,
        within_s=_SEEN_S,
        say=f"{plan.name} {words} on {host.name}, which was not heard to say so yet.",
    )
    ours = Edit(tags=plan.tags, owner=run.operation.author, project=plan.project)
    if edits.apply(guest, ours):
        announce({guest.pk})
    traces.stand()
    notes = [*(copy.notes if copy else ())]
    notes.append(identity.SAME if plan.seed_pool is None else identity.RENEWED)
    for note in notes:
        run.log(note)
    kind = "a linked clone" if plan.linked else "a clone"
    run.say(f"{plan.name}, {kind} of {plan.source_name}, {words} on {host.name}.")
    return {"guest": plan.uuid, "host": host.pk, "notes": notes}


@contextmanager
def _undone_unless_whole(run: Run, plan: Plan, traces: Traces) -> Iterator[None]:
    """Take away what the block made when it fails; whoever lost its lease touches nothing."""
    try:
        yield
    except LeaseLost:
        raise
    except BaseException as error:
        left = traces.take_away()
        if not left:
            _forget_seed(run, plan)
        if isinstance(error, AppError):
            end = _left(plan, left) if left else "Nothing of it is left."
            error.detail = f"{plan.name} was not made. {error.detail} {end}"
        raise


def _forget_seed(run: Run, plan: Plan) -> None:
    if plan.seed_pool is None:
        return
    try:
        seeding.discard(run, uuid_of(plan))
    except AppError as error:
        run.log(f"Its cloud-init CD could not be taken away: {error}")


def _left(plan: Plan, left: list[str]) -> str:
    return (
        f"Left on {plan.host_name} until it answers: {', '.join(left)}. It is marked as "
        "half made and taken away then."
    )


def _host(host_id: int) -> Host:
    host = Host.objects.filter(pk=host_id).first()
    if host is None:
        raise NotFound("A host that is needed for this was removed meanwhile.")
    return host
