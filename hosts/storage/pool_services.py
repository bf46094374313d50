"""What a person can ask of pools: decide, write down an operation, return at once."""

from dataclasses import asdict
from typing import Any
from uuid import uuid4

from django.db import transaction

from hosts.access import need_up
from hosts.models import Host, Pool
from hosts.storage import guarding, users
from hosts.storage.claims import claim
from hosts.storage.models import Holding
from hosts.storage.sharing import Sharing
from kvmweb.accounts.models import User
from kvmweb.errors import Conflict, Unsupported
from kvmweb.operations.models import Operation
from kvmweb.operations.services import submit
from kvmweb.virt import poolwish
from kvmweb.virt.poolwish import PoolWish


def define(
    host: Host,
    wish: PoolWish,
    *,
    autostart: bool = True,
    build: bool = False,
    by: User,
    address: str = "",
) -> Operation:
    """A new pool, started. `build` also makes what is missing on its devices.

    Raises Invalid for its parts, Unsupported where this host has no such pools, Conflict
    when the name or the place is another pool's or the host does not answer.
    """
    poolwish.check(wish)
    need_up(host)
    offered = host.capabilities.get("pool_types")
    if offered and wish.type not in offered:
        raise Unsupported(
            f"libvirt on {host.name} has no pools of type {wish.type}.",
            hint=f"It has {', '.join(offered)}.",
        )
    if host.pools.filter(name=wish.name).exists():
        raise Conflict(f"{host.name} has a pool {wish.name} already.", field="name")
    target = poolwish.target_of(wish)
    other = host.pools.filter(target=target).first() if wish.target else None
    if other is not None:
        raise Conflict(
            f"{target} is the pool {other.name} of {host.name} already.", field="target"
        )
    source = {name: _plain(value) for name, value in asdict(wish.source).items()}
    params = {
        "uuid": str(uuid4()),
        "name": wish.name,
        "type": wish.type,
        "target": wish.target,
        "source": source,
        "autostart": autostart,
        "build": build,
    }
    return _submit("pool.define", host, params, by, address)


def start(pool: Pool, *, by: User, address: str = "") -> Operation:
    """Make its volumes there for guests. Raises Conflict when it is active."""
    if pool.active:
        raise Conflict(f"The pool {pool.name} is active already.")
    return _about("pool.start", pool, by, address)


def stop(pool: Pool, *, by: User, address: str = "") -> Operation:
    """Take its volumes away. Raises Conflict when anybody uses one, or it is off."""
    if not pool.active:
        raise Conflict(f"The pool {pool.name} is not active.")
    return _ending("pool.stop", pool, f"stop the pool {pool.name}", by, address)


def delete(pool: Pool, *, by: User, address: str = "") -> Operation:
    """Have its host forget it; what lies in it stays. Raises Conflict as `stop`."""
    return _ending("pool.delete", pool, f"delete the pool {pool.name}", by, address)


def refresh(pool: Pool, *, by: User, address: str = "") -> Operation:
    """Have the host look again at what is in it. Raises Conflict when it is off."""
    if not pool.active:
        raise Conflict(f"The pool {pool.name} is not active.", hint="Start it first.")
    return _about("pool.refresh", pool, by, address)


def set_autostart(
    pool: Pool, *, enabled: bool, by: User, address: str = ""
) -> Operation:
    """Whether it starts with its host. Raises Conflict for a transient one."""
    if not pool.persistent:
        raise Conflict(f"{pool.name} is transient: it cannot start with its host.")
    return _about("pool.autostart", pool, by, address, {"enabled": enabled})


def _ending(kind: str, pool: Pool, doing: str, by: User, address: str) -> Operation:
    """An operation after which nobody reaches the pool's volumes."""
    need_up(pool.host)
    paths = guarding.paths_of(pool)
    told = users.of_paths(Sharing.of_home(pool), paths, together=True)
    users.need_none(told, doing)
    held = Holding.objects.filter(
        host=pool.host, path__in=paths, state=Holding.State.BUILDING
    ).first()
    if held is not None:
        raise Conflict(f"Could not {doing}: {held.path} is being made in it.")
    with transaction.atomic():
        operation = _about(kind, pool, by, address)
        claim(operation, pool.host, paths, destroys=True)
    return operation


def _about(
    kind: str,
    pool: Pool,
    by: User,
    address: str,
    params: dict[str, Any] | None = None,
) -> Operation:
    about = {"pool": pool.pk, "pool_uuid": str(pool.uuid), "pool_name": pool.name}
    return _submit(kind, pool.host, about | (params or {}), by, address)


def _submit(
    kind: str, host: Host, params: dict[str, Any], by: User, address: str
) -> Operation:
    need_up(host)
    return submit(
        kind,
        by=by,
        host=host.pk,
        host_name=host.name,
        params=params,
        address=address,
    )


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return None if value is None else str(value)
