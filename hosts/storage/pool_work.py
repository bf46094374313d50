"""The slow part of what is asked of pools."""

from typing import Any
from uuid import UUID

from hosts.models import Host, Pool
from hosts.services import address_of, need_up
from hosts.storage import guarding
from hosts.storage.appearing import until_row
from hosts.storage.making import pool_of
from hosts.storage.sharing import Sharing
from hosts.storage.work import again, allowed
from kvmweb.accounts.gate import Right
from kvmweb.errors import NotFound
from kvmweb.operations.registry import work
from kvmweb.operations.run import Run
from kvmweb.virt import connection, pools, storage
from kvmweb.virt.poolwish import PoolSource, PoolWish

manage = allowed(Right.MANAGE_POOLS)


@work("pool.define", allowed=manage, recover=again)
def define(run: Run) -> dict[str, Any]:
    """Define a pool and start it."""
    host, said = _host(run), run.params
    uuid = UUID(said["uuid"])
    with connection.connect(address_of(host)) as there:
        there.run(pools.define, _wish(said), uuid, build=said["build"])
        there.run(pools.set_autostart, uuid, enabled=said["autostart"])
    row = until_row(
        lambda: Pool.objects.filter(host=host, uuid=uuid, active=True).first(),
        say=f"The pool {said['name']} was made, but {host.name} has not been seen to "
        "say so yet.",
    )
    run.say(f"The pool {said['name']} is active on {host.name}.")
    return {"pool": row.pk}


@work("pool.start", allowed=manage, recover=again)
def start(run: Run) -> None:
    """Make its volumes there for guests."""
    pool = pool_of(run)
    with connection.connect(address_of(pool.host)) as there:
        there.run(pools.start, pool.uuid)
    run.say(f"The pool {pool.name} is active.")


@work("pool.stop", allowed=manage, recover=again)
def stop(run: Run) -> None:
    """Take its volumes away, if nobody uses one."""
    pool = pool_of(run)
    _need_unused(run, pool, f"stop the pool {pool.name}")
    with connection.connect(address_of(pool.host)) as there:
        there.run(pools.stop, pool.uuid)
    run.say(f"The pool {pool.name} is stopped; what lies in it is untouched.")


@work("pool.delete", allowed=manage, recover=again)
def delete(run: Run) -> None:
    """Have its host forget it, if nobody uses a volume of it."""
    try:
        pool = pool_of(run)
    except NotFound:
        run.say(f"The pool {run.params['pool_name']} was gone already.")
        return
    _need_unused(run, pool, f"delete the pool {pool.name}")
    with connection.connect(address_of(pool.host)) as there:
        there.run(pools.undefine, pool.uuid)
    run.say(f"{pool.host.name} has forgotten the pool {pool.name}; its files stay.")


@work("pool.refresh", allowed=manage, recover=again)
def refresh(run: Run) -> None:
    """Have the host look again at what is in it."""
    pool = pool_of(run)
    with connection.connect(address_of(pool.host)) as there:
        there.run(storage.refresh_pool, pool.uuid)
    run.say(f"{pool.host.name} has looked again into {pool.name}.")


@work("pool.autostart", allowed=manage, recover=again)
def autostart(run: Run) -> None:
    """Whether it starts with its host."""
    pool, enabled = pool_of(run), bool(run.params["enabled"])
    with connection.connect(address_of(pool.host)) as there:
        there.run(pools.set_autostart, pool.uuid, enabled=enabled)
    verb = "starts" if enabled else "does not start"
    run.say(f"The pool {pool.name} {verb} with its host from now on.")


def _need_unused(run: Run, pool: Pool, doing: str) -> None:
    run.progress(0.2, "looking who uses its volumes")
    paths = guarding.paths_of(pool)
    guarding.need_free_there(Sharing.of_home(pool), paths, doing)


def _host(run: Run) -> Host:
    host = Host.objects.filter(pk__in=[run.operation.host]).first()
    if host is None:
        raise NotFound(f"{run.operation.host_name} was removed meanwhile.")
    need_up(host)
    return host


def _wish(said: dict[str, Any]) -> PoolWish:
    source = dict(said["source"])
    secret = source.pop("secret_uuid", None)
    hosts, devices = tuple(source.pop("hosts")), tuple(source.pop("devices"))
    return PoolWish(
        said["name"],
        said["type"],
        said["target"],
        PoolSource(
            hosts=hosts,
            devices=devices,
            secret_uuid=UUID(secret) if secret else None,
            **source,
        ),
    )
