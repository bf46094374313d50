"""The slow part of what is asked of volumes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from hosts.models import Host, Pool, Volume
from hosts.services import address_of
from hosts.storage import guarding, holdings, passing
from hosts.storage.appearing import until_row
from hosts.storage.making import made, making, pool_of, unmake
from hosts.storage.models import Holding
from hosts.storage.places import path_of
from hosts.storage.sharing import Sharing
from kvmweb.accounts.gate import Right, need
from kvmweb.errors import AppError, Conflict, HostTimeout, NotFound
from kvmweb.operations.models import Operation
from kvmweb.operations.registry import Recovery, work
from kvmweb.operations.run import Run
from kvmweb.virt import cloning, connection, storage, volumes


def allowed(right: Right) -> Callable[[Operation], None]:
    """Whether who asked may still do this. Raises Forbidden."""

    def ask(operation: Operation) -> None:
        if operation.requested_by:
            need(operation.requested_by, right)

    return ask


manage = allowed(Right.MANAGE_VOLUMES)
_UNSEEN_S = 5.0  # a deletion is true also when nobody has heard of it yet


def again(_run: Run) -> Recovery:
    """Every step of it may be done twice."""
    return Recovery.AGAIN


def unmade(run: Run) -> Recovery:
    """After a crash: what was half made is deleted, and made once more."""
    pool = pool_of(run)
    if not unmake(run, pool.host, path_of(pool, run.params["name"])):
        raise Conflict(
            f"This was interrupted; {run.params['name']} is half made and will be "
            "deleted. Nobody can use it until then.",
            hint="Ask for it again in a while, or by another name.",
        )
    run.keep(begun=False)
    return Recovery.AGAIN


@work("volume.create", allowed=manage, recover=unmade)
def create(run: Run) -> dict[str, Any]:
    """Make an empty volume."""
    pool, said = pool_of(run), run.params
    with making(run, pool) as there:
        facts = there.run(
            volumes.create,
            pool.uuid,
            said["name"],
            format=said["format"],
            capacity_bytes=said["capacity_bytes"],
            backing_path=said.get("backing", ""),
            backing_format=said.get("backing_format", ""),
        )
    run.say(f"The volume {facts.name} is in {pool.name} of {pool.host.name}.")
    return made(run, pool, facts.path, said["format"])


@work("volume.clone", allowed=manage, recover=unmade, cancellable=True)
def clone(run: Run) -> dict[str, Any]:
    """Have the host copy a volume."""
    pool, said = pool_of(run), run.params
    copy = cloning.Copy(
        pool.uuid,
        said["name"],
        said["source"],
        said["source_format"],
        said["format"],
    )
    with making(run, pool) as there:
        child = connection.spawn(cloning.clone, address_of(pool.host), copy)
        facts = passing.copied(run, child, _so_far(run, pool, there))
    run.say(f"{said['source']} was copied to {facts.path}.")
    return made(run, pool, facts.path, said["format"])


work("volume.convert", allowed=manage, recover=unmade, cancellable=True)(clone)


@work("volume.grow", allowed=manage, recover=again)
def grow(run: Run) -> dict[str, Any]:
    """Make a volume larger that no running guest uses."""
    pool, path = pool_of(run), run.params["path"]
    capacity = run.params["capacity_bytes"]
    for host in Sharing(pool.host, [path]).hosts():
        with connection.connect(address_of(host)) as there:
            users = there.run(storage.users_of, (path,))[path]
        for user in users:
            if user.active:
                raise Conflict(
                    f"{run.params['name']} cannot grow: {user.name} runs with it on "
                    f"{host.name}.",
                    hint="Grow it as a disk of that guest.",
                )
    with connection.connect(address_of(pool.host)) as there:
        there.run(volumes.grow, path, capacity)
    run.say(f"{run.params['name']} has {capacity} bytes now.")
    return _about(pool, path)


@work("volume.trash", allowed=manage, recover=again)
def trash(run: Run) -> dict[str, Any]:
    """Put a volume into the trash, if nobody uses it."""
    pool, path = pool_of(run), run.params["path"]
    run.progress(0.2, "looking who uses it")
    guarding.need_free_there(
        Sharing(pool.host, [path]), [path], f"delete {run.params['name']}"
    )
    due = timezone.now() + timedelta(days=settings.TRASH_DAYS)
    values = {
        "state": Holding.State.TRASH,
        "operation": run.operation.pk,
        "author": run.operation.author,
        "since": timezone.now(),
        "due_at": due,
        "problem": "",
    }
    Holding.objects.update_or_create(host=pool.host, path=path, defaults=values)
    run.say(
        f"{run.params['name']} is in the trash; it is deleted on {due:%Y-%m-%d}, "
        "unless somebody takes it out."
    )
    return _about(pool, path)


@work("volume.delete", allowed=manage, recover=again)
def delete(run: Run) -> dict[str, Any]:
    """Delete a volume for ever, if nobody uses it."""
    pool, path = pool_of(run), run.params["path"]
    name = run.params["name"]
    run.progress(0.2, "looking who uses it")
    _need_same_state(run, pool, path)
    try:
        guarding.need_free_there(Sharing(pool.host, [path]), [path], f"delete {name}")
    except Conflict as error:
        Holding.objects.filter(host=pool.host, path=path).update(problem=str(error))
        raise
    run.progress(0.6, "deleting")
    with _going(pool.host, path, run.operation):
        try:
            with connection.connect(address_of(pool.host)) as there:
                there.run(storage.delete_volume, path)
        except NotFound:
            run.log(f"{name} was gone already.")
    _until_unseen(run, pool, path)
    run.say(f"{name} was deleted.")
    return {"path": path}


def _until_unseen(run: Run, pool: Pool, path: str) -> None:
    """Until its row is gone: what it stood on can be deleted next."""
    run.progress(0.9, "waiting until its host says so")
    rows = Volume.objects.filter(pool=pool, path=path)
    try:
        until_row(
            lambda: None if rows.exists() else pool,
            within_s=_UNSEEN_S,
            say="It is still listed.",
        )
    except HostTimeout:
        run.log(f"{pool.host.name} has not been seen to say so yet.")


@contextmanager
def _going(host: Host, path: str, operation: Operation) -> Iterator[None]:
    """Nobody can choose it from now on, also while only its row is still there.

    If it was refused it is as it was before; if nobody knows, it lies in the trash.
    """
    before = Holding.objects.filter(host=host, path=path).first()
    due = timezone.now() + timedelta(days=settings.TRASH_DAYS)
    values = {"state": Holding.State.TRASH, "operation": operation.pk, "due_at": due}
    if before is None or before.state == Holding.State.READY:
        Holding.objects.update_or_create(host=host, path=path, defaults=values)
    try:
        yield
    except HostTimeout:
        raise
    except AppError:
        if before is None:
            holdings.forget(host, path)
        else:
            before.save()
        raise


def _need_same_state(run: Run, pool: Pool, path: str) -> None:
    """Nothing. Raises Conflict when what nobody asked for is not wanted any more."""
    held = run.params.get("held")
    rows = Holding.objects.filter(host=pool.host, path=path, state=held)
    if held and not rows.exists():
        raise Conflict(f"{run.params['name']} is not in the state {held} any more.")


def _so_far(run: Run, pool: Pool, there: connection.Host) -> Callable[[], None]:
    """Tells how much of a copy is there; the host itself does not."""
    path = path_of(pool, run.params["name"])
    whole = max(1, run.params["source_bytes"])

    def tell() -> None:
        facts = there.run(storage.look_volume, path)
        if facts is not None:
            run.progress(0.95 * facts.allocation_bytes / whole, "copying")

    return tell


def _about(pool: Pool, path: str) -> dict[str, Any]:
    row = Volume.objects.filter(pool=pool, path=path).first()
    return {"volume": row.pk if row else None, "path": path}
