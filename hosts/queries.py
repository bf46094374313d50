"""Reading hosts: each list costs a fixed number of queries."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import Count, Q, QuerySet, Sum

from hosts import access
from hosts.models import Host, Network
from kvmweb import samples
from kvmweb.accounts.models import User
from kvmweb.operations.models import Operation
from kvmweb.ordering import ordered
from kvmweb.virt.types import DomainState

PAGE = 50
GUESTS = 300
STATES = (*Host.State.values, "maintenance")
ORDERINGS: dict[str, str | Sequence[str]] = {
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


def dressed(hosts: Iterable[Host]) -> list[Host]:
    """The same hosts with their latest `sample` beside them."""
    found = list(hosts)
    numbers = samples.latest_of_hosts([host.pk for host in found])
    for host in found:
        host.sample = numbers.get(host.pk)
    return found


def networks(host: Host) -> QuerySet[Network]:
    """Its networks by name."""
    return host.networks.order_by("name")


def same_machines(host: Host) -> Sequence[Host]:
    """Other hosts that say they are the machine this one is."""
    if host.uuid is None:
        return []
    return list(Host.objects.filter(uuid=host.uuid).exclude(pk=host.pk))


def running_memory_bytes(host: Host) -> int:
    """What its running guests may use together."""
    running = host.guests.filter(state=DomainState.RUNNING)
    return running.aggregate(sum=Sum("memory_bytes"))["sum"] or 0


def operations(host: Host) -> list[Operation]:
    """What was asked of it and its guests last."""
    return list(Operation.objects.filter(host=host.pk).order_by("-created_at")[:20])


def guests(host: Host) -> list[Any]:
    """Its guests by name, each with its latest `sample`; the first few hundred."""
    rows = host.guests.exclude(state=DomainState.GONE).order_by("name", "uuid")
    found = list(rows.select_related("owner").defer("disks", "nics", "uses")[:GUESTS])
    numbers = samples.latest([guest.pk for guest in found])
    for guest in found:
        guest.sample = numbers.get(guest.pk)
    return found


@dataclass(frozen=True, slots=True)
class Filters:
    """What somebody wants to see; every value as it stands in the URL, "" for any."""

    search: str = ""
    state: str = ""  # up, down, connecting, maintenance
    tag: str = ""
    sort: str = "name"

    @classmethod
    def of(cls, values: Mapping[str, str]) -> "Filters":
        """From a query string; what is not understood counts as not said."""
        told = {
            each.name: value
            for each in fields(cls)
            if (value := values.get(each.name, "").replace("\0", "").strip()[:200])
        }
        if told.get("sort", "").removeprefix("-") not in ORDERINGS:
            told.pop("sort", None)
        if told.get("state", "") not in STATES:
            told.pop("state", None)
        return cls(**told)


def page(user: User, filters: Filters, number: str | int = 1) -> Page[Host]:
    """One page of the list, each host with its latest `sample`; two queries."""
    rows = listing(user)
    if filters.state == "maintenance":
        rows = rows.filter(maintenance=True)
    elif filters.state:
        rows = rows.filter(state=filters.state)
    if filters.tag:
        rows = rows.filter(tags__icontains=f'"{filters.tag}"')
    for word in filters.search.split()[:8]:
        found = Q()
        for column in SEARCHED:
            found |= Q((f"{column}__icontains", word))
        rows = rows.filter(found)
    rows = rows.order_by(*ordered(filters.sort, ORDERINGS))
    found_page = Paginator(rows, PAGE).get_page(number)
    found_page.object_list = dressed(found_page.object_list)
    return found_page
