"""The gate of hosts: the only way from a URL to a row."""

from typing import TypeVar

from django.db.models import Model, QuerySet

from hosts.models import Host, Network, Pool, Volume
from kvmweb.accounts.gate import Right, may, need
from kvmweb.accounts.models import User
from kvmweb.errors import Conflict, NotFound

M = TypeVar("M", bound=Model)


def visible(user: User) -> QuerySet[Host]:
    """The hosts this user may see: all of them, or none."""
    return Host.objects.all() if may(user, Right.SEE_HOSTS) else Host.objects.none()


def host(user: User, host_id: int, right: Right) -> Host:
    """This host, if the user has this right on it.

    Raises NotFound when they may not even see it, else Forbidden.
    """
    found = _found(visible(user), host_id, "host")
    need(user, right)
    return found


def pool(user: User, pool_id: int, right: Right) -> Pool:
    """This storage pool; its host's rights are its own. Raises NotFound, Forbidden."""
    rows = Pool.objects.select_related("host").filter(host__in=visible(user))
    found = _found(rows, pool_id, "pool")
    need(user, right)
    return found


def volume(user: User, volume_id: int, right: Right) -> Volume:
    """This volume; its host's rights are its own. Raises NotFound, Forbidden."""
    rows = Volume.objects.select_related("pool__host")
    found = _found(rows.filter(pool__host__in=visible(user)), volume_id, "volume")
    need(user, right)
    return found


def network(user: User, network_id: int, right: Right) -> Network:
    """This network; its host's rights are its own. Raises NotFound, Forbidden."""
    rows = Network.objects.select_related("host").filter(host__in=visible(user))
    found = _found(rows, network_id, "network")
    need(user, right)
    return found


def need_up(host: Host) -> None:
    """Nothing. Raises Conflict when the host cannot be asked for anything now."""
    if host.state == Host.State.UP:
        return
    if host.state == Host.State.CONNECTING:
        raise Conflict(
            f"{host.name} is not connected yet.", hint="Try again in a moment."
        )
    since = host.state_since.strftime("%F %H:%M UTC")
    raise Conflict(f"{host.name} is down since {since}: {host.error}".strip())


def _found(rows: QuerySet[M], row_id: int, word: str) -> M:
    row = rows.filter(pk=row_id).first() if 0 < row_id < 2**63 else None
    if row is None:
        raise NotFound(f"There is no such {word}.")
    return row
