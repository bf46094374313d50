"""Reading hosts: each list costs a fixed number of queries."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from django.db.models import Count, Prefetch, Q, QuerySet

from hosts import access
from hosts.models import Host, Network, Pool, Volume
from kvmweb.accounts.models import User
from kvmweb.virt.types import DomainState

ORDERINGS = {
    "name": "name",
    "state": ("state", "name"),
    "cpus": ("cpus", "name"),
    "memory_bytes": ("memory_bytes", "name"),
    "guests_total": ("guests_total", "name"),
    "guests_running": ("guests_running", "name"),
    "created_at": "created_at",
}
SEARCHED = ("name", "address", "hostname", "tags")

_HERE = ~Q(guests__state=DomainState.GONE)


def counted(rows: QuerySet[Host]) -> QuerySet[Host]:
    """The same hosts with `guests_total` (those that are not gone), `guests_running`."""
    return rows.annotate(
        guests_total=Count("guests", filter=_HERE),
        guests_running=Count("guests", filter=Q(guests__state=DomainState.RUNNING)),
    )


def listing(user: User) -> QuerySet[Host]:
    """The hosts this user may see, counted, by name."""
    return counted(access.visible(user)).order_by("name")


def one(host: Host) -> Host:
    """The same host, read again and counted."""
    return counted(Host.objects.filter(pk=host.pk)).get()


def pools(host: Host) -> QuerySet[Pool]:
    """Its storage pools by name, each with how many volumes it has."""
    return host.pools.annotate(volumes_total=Count("volumes")).order_by("name")


def pools_with_volumes(host: Host) -> Sequence[Pool]:
    """Its storage pools with their volumes, in two queries."""
    volumes = Prefetch("volumes", queryset=Volume.objects.order_by("name"))
    return list(pools(host).prefetch_related(volumes))


def volumes(pool: Pool) -> QuerySet[Volume]:
    """The pool's volumes by name."""
    return pool.volumes.select_related("pool").order_by("name")


def networks(host: Host) -> QuerySet[Network]:
    """Its networks by name."""
    return host.networks.order_by("name")


def same_machines(host: Host) -> Sequence[Host]:
    """Other hosts that say they are the machine this one is."""
    if host.uuid is None:
        return []
    return list(Host.objects.filter(uuid=host.uuid).exclude(pk=host.pk))


def shared_uuids(hosts: Iterable[Host]) -> set[UUID]:
    """The machine UUIDs that more than one of these hosts has."""
    said = [host.uuid for host in hosts if host.uuid]
    return {uuid for uuid in said if said.count(uuid) > 1}
