"""A volume that an operation makes: whole in the end, or gone."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from hosts.models import Host, Pool, Volume
from hosts.services import address_of, need_up
from hosts.storage import holdings
from hosts.storage.appearing import until_row
from hosts.storage.places import path_of
from kvmweb.errors import AppError, Conflict, Invalid, NotFound, Unsupported
from kvmweb.operations.run import Run
from kvmweb.virt import connection, pools, storage, volumes

_NOTHING_MADE = (Conflict, Invalid, NotFound, Unsupported)
_PATIENCE_S = 8.0
_APPEARS_S = 45.0  # the watcher looks by itself every 30 s


def pool_of(run: Run) -> Pool:
    """The pool the operation was asked for, on a host that answers.

    Raises NotFound when it is not there any more, Conflict when the host is down.
    """
    rows = Pool.objects.select_related("host").filter(host=run.operation.host)
    pool = rows.filter(uuid=UUID(run.params["pool_uuid"])).first()
    if pool is None:
        message = f"The pool {run.params['pool_name']} is not there any more."
        raise NotFound(message)
    need_up(pool.host)
    return pool


@contextmanager
def making(run: Run, pool: Pool) -> Iterator[connection.Host]:
    """The host, to make the operation's volume there; unmade when the block fails.

    What was there before is never touched. Raises Conflict when something is there.
    """
    host, path = pool.host, path_of(pool, run.params["name"])
    holdings.building(host, path, run.operation)
    try:
        with connection.connect(address_of(host)) as there:
            if not run.result.get("begun"):
                if there.run(storage.look_volume, path) is not None:
                    raise Conflict(f"There is a volume {path} already.")
                run.keep(begun=True)
            yield there
    except _NOTHING_MADE:
        holdings.forget(host, path)
        raise
    except BaseException:
        unmake(run, host, path)
        raise


def unmake(run: Run, host: Host, path: str) -> bool:
    """Delete what the operation has begun; whether it is gone.

    Its mark stays until the watcher has seen that it is gone (hosts.storage.facts). If
    the host cannot do it now it is deleted later: see hosts.storage.tidying.
    """
    if not run.result.get("begun"):
        holdings.forget(host, path)
        return True
    try:
        _discard(host, UUID(run.params["pool_uuid"]), path)
    except AppError as error:
        run.log(f"The unfinished {path} is deleted later. {error}")
        return False
    return True


def _discard(host: Host, pool: UUID, path: str) -> None:
    """Delete it, with a little patience: its host may be coming back just now."""
    until = time.monotonic() + _PATIENCE_S
    while True:
        try:
            with connection.connect(address_of(host)) as there:
                there.run(pools.need_active, pool)  # else it only seems to be gone
                there.run(volumes.discard, path)
        except AppError:
            if time.monotonic() > until:
                raise
            time.sleep(1)
        else:
            return


def made(run: Run, pool: Pool, path: str, made_as: str) -> dict[str, object]:
    """It is whole: the operation's result, once its row is there."""
    planned = path_of(pool, run.params["name"])
    if planned != path:
        holdings.forget(pool.host, planned)
    holdings.ready(pool.host, path, format=made_as)
    run.progress(0.98, "waiting until its host says so")
    row = until_row(
        lambda: _seen_whole(pool, path, made_as, run.params.get("backing", "")),
        within_s=_APPEARS_S,
        say=f"{path} was made, but {pool.host.name} has not been seen to say so yet.",
    )
    return {"volume": row.pk, "path": path}


def _seen_whole(pool: Pool, path: str, made_as: str, backing: str) -> Volume | None:
    """Its row, unless that is of a look into it while it was being written."""
    rows = Volume.objects.filter(pool=pool, path=path, backing_path=backing)
    return (rows if made_as == "raw" else rows.filter(format=made_as)).first()
