"""The slow part of what is asked of images."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from guests.images import reading, unseeding
from guests.images.models import Image, ImageCopy
from hosts.models import Host, Pool
from hosts.services import address_of, need_up
from hosts.storage import guarding, holdings
from hosts.storage.places import path_of
from hosts.storage.sharing import Sharing
from kvmweb.accounts.gate import Right, need
from kvmweb.errors import AppError, Conflict, HostError, HostUnreachable, NotFound
from kvmweb.operations.models import Operation
from kvmweb.operations.registry import Recovery, work
from kvmweb.operations.run import Run
from kvmweb.virt import connection, images, storage, streams, volumes
from kvmweb.virt.types import VolumeFacts

State = Image.State
_KEPT_FORMATS = ("qcow2", "raw")  # guests' disks stand on these; others are converted


def allowed(right: Right) -> Callable[[Operation], None]:
    """Whether who asked may still do this. Raises Forbidden."""

    def ask(operation: Operation) -> None:
        if operation.requested_by:
            need(operation.requested_by, right)

    return ask


manage = allowed(Right.MANAGE_IMAGES)


def again(_run: Run) -> Recovery:
    """It only reads, and what it makes besides it makes anew."""
    return Recovery.AGAIN


@work("image.register", allowed=manage, recover=again, cancellable=True)
def register(run: Run) -> dict[str, Any]:
    """Look into a volume, see that it stands alone, and know it by its checksum."""
    image = _image(run)
    try:
        pool = _pool(run)
        facts = _judged(run, pool)
        if facts.format not in _KEPT_FORMATS:
            facts = _converted(run, image, pool, facts)
        run.progress(0.3, f"reading {facts.name}")
        length = max(facts.allocation_bytes, 1)
        told = reading.digest(
            run,
            pool.host,
            facts.path,
            progress=lambda count: run.progress(0.3 + 0.65 * min(count / length, 1)),
        )
    except AppError as error:
        _failed(run, image, error)
        raise
    image.format, image.sha256 = facts.format, told.sha256
    image.size_bytes, image.virtual_size_bytes = told.length_bytes, facts.capacity_bytes
    image.min_disk_bytes = max(image.min_disk_bytes, facts.capacity_bytes)
    image.state, image.operation, image.problem = State.READY, None, ""
    image.save()
    copies = ImageCopy.objects.filter(image=image, host=pool.host)
    ready = ImageCopy.State.READY
    copies.update(state=ready, operation=None, path=facts.path)
    holdings.ready(pool.host, facts.path, format=facts.format)
    run.say(f"The image {image} is ready, on {pool.host.name}.")
    return {"image": image.pk, "sha256": told.sha256, "path": facts.path}


@work("image.delete", allowed=manage, recover=again)
def delete(run: Run) -> dict[str, Any]:
    """Delete the copies that were made for it, then forget it."""
    image = _image(run)
    deleted: list[str] = list(run.result.get("deleted", []))
    for copy in image.copies.select_related("host").filter(ours=True):
        run.progress(0.1, f"deleting it on {copy.host.name}")
        try:
            _delete_copy(image, copy)
        except AppError:
            left = State.READY if image.sha256 else State.FAILED
            Image.objects.filter(pk=image.pk).update(state=left, operation=None)
            raise
        deleted.append(f"{copy.host.name}:{copy.path}")
        run.keep(deleted=deleted)
        copy.delete()
    image.delete()
    run.say(f"The image {image} was deleted with {len(deleted)} copies.")
    return {"deleted": deleted}


@work("guest.remove-seed", recover=again)
def remove_seed(run: Run) -> None:
    """Take a guest's seed away after its first boot."""
    unseeding.remove(run)


def _delete_copy(image: Image, copy: ImageCopy) -> None:
    """Raises Conflict naming what stands on it, or when its host does not answer."""
    host = copy.host
    need_up(host)
    doing = f"delete the copies of {image}"
    guarding.need_free_there(Sharing(host, [copy.path]), [copy.path], doing)
    try:
        with connection.connect(address_of(host)) as there:
            there.run(storage.delete_volume, copy.path)
    except NotFound:
        pass  # somebody was first
    holdings.forget(host, copy.path)


def _image(run: Run) -> Image:
    image = Image.objects.filter(pk=run.params["image"]).first()
    if image is None:
        raise NotFound(f"The image {run.operation.guest_name} is not there any more.")
    return image


def _pool(run: Run) -> Pool:
    rows = Pool.objects.select_related("host").filter(host=run.operation.host)
    pool = rows.filter(uuid=UUID(run.params["pool_uuid"])).first()
    if pool is None:
        raise NotFound("The pool of the image's volume is not there any more.")
    need_up(pool.host)
    return pool


def _judged(run: Run, pool: Pool) -> VolumeFacts:
    """The volume, once its first bytes agree with what it is said to be.

    Raises Invalid for what names another file, and Conflict when a guest uses it.
    """
    path, declared = run.params["path"], run.params["format"]
    run.progress(0.05, "looking at its first bytes")
    with connection.connect(address_of(pool.host)) as there:
        reading.refresh(there, pool)
        facts = there.run(storage.look_volume, path)
        if facts is None:
            raise NotFound(f"The volume {path} is not there any more.")
        head = there.run(streams.read_head, path, images.HEAD_BYTES)
        found = images.inspect(head, declared, facts.capacity_bytes)
        users = there.run(storage.users_of, (path,))[path]
    if users:
        names = ", ".join(user.name for user in users)
        raise Conflict(
            f"{path} is used by {names}: an image must never change.",
            hint="Make the image of a copy of it.",
        )
    capacity = found.virtual_bytes or facts.capacity_bytes
    return VolumeFacts(
        facts.name,
        facts.key,
        facts.path,
        declared,
        capacity,
        facts.allocation_bytes,
        "",
    )


def _converted(run: Run, image: Image, pool: Pool, facts: VolumeFacts) -> VolumeFacts:
    """The same as a qcow2 volume, made by the host. What was uploaded is deleted then."""
    name = f"image-{image.pk}-{run.operation.pk.hex[:8]}.qcow2"
    path, host = path_of(pool, name), pool.host
    run.progress(0.1, f"converting it from {facts.format} to qcow2")
    run.keep(begun=True)
    holdings.building(host, path, run.operation)
    try:
        with connection.connect(address_of(host)) as there:
            there.run(volumes.discard, path)  # of a worker that died
            made = there.run(
                volumes.clone,
                pool.uuid,
                name,
                source_path=facts.path,
                format="qcow2",
            )
    except AppError:
        _discard(run, host, path)
        raise
    copy = ImageCopy.objects.filter(image=image, host=host)
    if copy.filter(ours=True).exists():
        _discard(run, host, facts.path)
    copy.update(path=made.path, ours=True)
    return VolumeFacts(
        made.name,
        made.key,
        made.path,
        "qcow2",
        facts.capacity_bytes,
        made.allocation_bytes,
        "",
    )


def _failed(run: Run, image: Image, error: AppError) -> None:
    """Say why it cannot be an image; what was uploaded for it goes.

    Unless its host went away in the middle: then what was uploaded waits for it.
    """
    rows = Image.objects.filter(pk=image.pk)
    uploaded = image.copies.filter(ours=True).exists()
    if isinstance(error, HostUnreachable) and uploaded:
        rows.update(state=State.AWAITING, operation=None, problem=str(error))
        return
    for copy in image.copies.select_related("host"):
        if copy.ours:
            _discard(run, copy.host, copy.path)
        copy.delete()
    rows.update(state=State.FAILED, operation=None, problem=str(error))


def _discard(run: Run, host: Host, path: str) -> None:
    """Delete what was made for an image; one that cannot be asked is tidied later."""
    try:
        with connection.connect(address_of(host)) as there:
            there.run(volumes.discard, path)
    except HostError as error:
        run.log(f"{path} of {host.name} is deleted later. {error}")
        return
    holdings.forget(host, path)
