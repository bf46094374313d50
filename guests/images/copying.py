"""Copies of an image on hosts: made when first needed, once, by checksum."""

import time
from dataclasses import replace

from django.db import transaction

from guests.images import reading
from guests.images.models import FILES, Image, ImageCopy
from hosts.models import Host, Pool
from hosts.services import address_of, need_up
from hosts.storage import holdings
from hosts.storage.claims import claim
from hosts.storage.copying import copy as carry
from hosts.storage.models import Holding
from hosts.storage.places import path_of
from hosts.storage.sharing import may_be_same
from kvmweb.errors import AppError, Conflict, HostError, HostTimeout, NotFound
from kvmweb.operations.models import Operation
from kvmweb.operations.run import Run
from kvmweb.virt import connection, storage, volumes
from kvmweb.virt.types import VolumeFacts

_WAIT_S = 6 * 3600.0
_LOOK_S = 0.5
State = ImageCopy.State


class NotOurs(Conflict):
    """Something else lies where a copy should be; it is left alone."""


def ensure(run: Run, image: Image, host: Host, pool: Pool) -> VolumeFacts:
    """The image's volume on this host, copied into the pool if no pool there has it.

    Copies lie in pools of files: for a pool of another kind it is one beside it.
    Of two operations that need it at once one copies and the other waits. It stays
    needed by this operation until that ends. In a worker, outside of a transaction;
    may be called again. Raises Conflict when the image cannot be used or no host that
    answers has it, HostError, Cancelled.
    """
    until = time.monotonic() + _WAIT_S
    pool = _file_pool(image, pool)
    while True:
        row = _claimed(run, image, host, pool)
        if row.state == State.READY:
            if facts := _found(row):
                return facts
            _forget(row)  # somebody deleted it behind our back
        elif row.operation == run.operation.pk:
            return _made(run, row, pool)
        else:
            _wait(run, image, host, until)


def name_of(image: Image) -> str:
    """What its copies are called: two copies of one name have the same content."""
    return f"image-{image.sha256[:32]}.{image.format}"


def _file_pool(image: Image, pool: Pool) -> Pool:
    """The pool itself, or the host's pool of files with most space. Raises Conflict."""
    if pool.type in FILES:
        return pool
    rows = Pool.objects.filter(host=pool.host, active=True, type__in=FILES)
    found = rows.select_related("host").order_by("-available_bytes").first()
    if found is None:
        raise Conflict(
            f"{pool.host.name} has no active pool of files to keep {image} in.",
            hint="Make one of type dir there.",
        )
    return found


@transaction.atomic
def _claimed(run: Run, image: Image, host: Host, pool: Pool) -> ImageCopy:
    """The host's copy: ready, being made by somebody who lives, or ours to make."""
    now = Image.objects.select_for_update().filter(pk=image.pk).first()
    if now is None or now.state != Image.State.READY:
        raise Conflict(f"The image {image} cannot be used: it is not ready.")
    row = ImageCopy.objects.filter(image=image, host=host).first()
    if row and row.state == State.READY:
        claim(run.operation, host, [row.path], destroys=False)
        return row
    path = path_of(pool, name_of(image))
    if row and _lives(row):
        return row
    if other := _made_elsewhere(image, pool, path):
        return other
    if row is None:
        row = ImageCopy(image=image, host=host, state=State.BUILDING)
    row.operation, row.pool, row.path = run.operation.pk, pool, path
    row.save()
    return row


def _made_elsewhere(image: Image, pool: Pool, path: str) -> ImageCopy | None:
    """The same file, being made through another host that sees this storage."""
    rows = ImageCopy.objects.filter(image=image, path=path, state=State.BUILDING)
    for other in rows.exclude(host=pool.host).select_related("pool"):
        if other.pool and _lives(other) and may_be_same(pool, other.pool):
            return other
    return None


def _lives(row: ImageCopy) -> bool:
    """Whether somebody makes it now."""
    rows = Operation.objects.filter(pk__in=[row.operation])
    return rows.filter(state__in=Operation.ACTIVE).exists()


def _found(row: ImageCopy) -> VolumeFacts | None:
    """What is at its place; None when nothing is. Its format is what we know it to be."""
    need_up(row.host)
    with connection.connect(address_of(row.host)) as there:
        facts = there.run(storage.look_volume, row.path)
        if facts is None and row.pool:
            reading.refresh(there, row.pool)
            facts = there.run(storage.look_volume, row.path)
    return replace(facts, format=row.image.format) if facts else None


def _wait(run: Run, image: Image, host: Host, until: float) -> None:
    run.progress(0.05, f"waiting until {image} is on {host.name}")
    run.check_cancelled()
    if time.monotonic() > until:
        raise HostTimeout(f"Another operation still copies {image} to {host.name}.")
    time.sleep(_LOOK_S)


def _forget(row: ImageCopy) -> None:
    """There is no such copy any more."""
    ImageCopy.objects.filter(pk=row.pk, state=row.state).delete()


def _made(run: Run, row: ImageCopy, pool: Pool) -> VolumeFacts:
    """Copy it to its host, and see that it is what it should be."""
    need_up(row.host)
    _clear(run, row, pool)
    run.keep(begun=True)  # so that what is left of it is deleted: hosts.storage.tidying
    holdings.building(row.host, row.path, run.operation)
    try:
        facts = _there_already(run, row, pool) or _copied(run, row, pool)
    except NotOurs:
        holdings.forget(row.host, row.path)
        ImageCopy.objects.filter(pk=row.pk, state=State.BUILDING).delete()
        raise
    except AppError:
        _unmake(run, row)
        raise
    holdings.ready(row.host, row.path, format=row.image.format)
    with transaction.atomic():
        mine = ImageCopy.objects.filter(pk=row.pk, operation=run.operation.pk)
        if not mine.update(state=State.READY, operation=None, path=facts.path):
            raise Conflict(f"The image {row.image} was deleted meanwhile.")
        claim(run.operation, row.host, [facts.path], destroys=False)
    run.log(f"{row.image} is on {row.host.name}.")
    return replace(facts, format=row.image.format)


def _clear(run: Run, row: ImageCopy, pool: Pool) -> None:
    """Delete what lies half made at its place, by a worker that died."""
    held = Holding.objects.filter(host=row.host, path=row.path)
    left = held.filter(state=Holding.State.BUILDING).first()
    if left is None:
        return
    mine = left.operation == run.operation.pk
    rows = Operation.objects.filter(pk__in=[left.operation])
    if mine or not rows.filter(state__in=Operation.ACTIVE).exists():
        with connection.connect(address_of(row.host)) as there:
            reading.refresh(there, pool)  # it discards only what it knows
            there.run(volumes.discard, row.path)
        holdings.forget(row.host, row.path)


def _there_already(run: Run, row: ImageCopy, pool: Pool) -> VolumeFacts | None:
    """What lies at its place with the right content, as on storage that hosts share.

    Raises Conflict when something else lies there.
    """
    with connection.connect(address_of(row.host)) as there:
        reading.refresh(there, pool)
        facts = there.run(storage.look_volume, row.path)
    if facts is None:
        return None
    run.progress(0.1, f"reading {facts.name} on {row.host.name}")
    if reading.digest(run, row.host, row.path).sha256 != row.image.sha256:
        raise NotOurs(
            f"{row.path} of {row.host.name} is not the image {row.image}, though it is "
            "called so.",
            hint="Delete or rename that volume.",
        )
    return facts


def _copied(run: Run, row: ImageCopy, pool: Pool) -> VolumeFacts:
    image, host = row.image, row.host
    source = _source(row)
    phase = f"copying {image} to {host.name}"
    run.progress(0.1, phase)
    with connection.connect(address_of(host)) as there:
        made = there.run(
            volumes.create,
            pool.uuid,
            name_of(image),
            format=image.format,
            capacity_bytes=image.virtual_size_bytes,
        )
        if made.path != row.path:
            holdings.forget(host, row.path)
            row.path = made.path
            row.save(update_fields=["path"])
            holdings.building(host, row.path, run.operation)
    share = 0.5 / max(image.size_bytes, 1)
    carry(
        run,
        source.host,
        source.path,
        host,
        row.path,
        progress=lambda count: run.progress(0.1 + share * count),
    )
    run.progress(0.6, f"reading it again on {host.name}")
    if reading.digest(run, host, row.path).sha256 != image.sha256:
        raise HostError(
            f"What came to {host.name} is not the image {image} any more.",
            hint=f"Somebody may have changed it on {source.host.name}: {source.path}.",
        )
    with connection.connect(address_of(host)) as there:
        facts = there.run(storage.look_volume, row.path)
    if facts is None:
        raise NotFound(f"{row.path} was deleted while it was made.")
    return facts


def _source(row: ImageCopy) -> ImageCopy:
    """A copy on a host that answers. Raises Conflict when there is none."""
    rows = ImageCopy.objects.filter(image=row.image, state=State.READY)
    rows = rows.exclude(host=row.host).select_related("host")
    for each in rows:
        if each.host.state == Host.State.UP:
            return each
    names = ", ".join(each.host.name for each in rows) or "no host any more"
    raise Conflict(f"No host that answers has {row.image}: it is on {names}.")


def _unmake(run: Run, row: ImageCopy) -> None:
    """Take away what was begun; where that fails it stays marked, and is deleted later."""
    try:
        with connection.connect(address_of(row.host)) as there:
            there.run(volumes.discard, row.path)
        holdings.forget(row.host, row.path)
    except AppError as error:
        run.log(f"The unfinished {row.path} is deleted later. {error}")
    ImageCopy.objects.filter(pk=row.pk, state=State.BUILDING).delete()
