"""Reading networks, packet filters and devices of hosts."""

from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from hosts.models import Host, HostDevice, Network, NetworkFilter
from hosts.networks.wishes import Ground, Neighbour
from kvmweb.accounts.gate import Right, may
from kvmweb.accounts.models import User
from kvmweb.operations.models import Operation
from kvmweb.virt.netplan import NetworkPlan

_MAKING = "network.create"


def usable(user: User, host: Host) -> QuerySet[Network]:
    """The networks of this host that this person may put a guest on, by name."""
    if not (may(user, Right.CREATE) or may(user, Right.CHANGE)):
        return Network.objects.none()
    return host.networks.filter(active=True).order_by("name")


def leases(network: Network) -> list[dict[str, Any]]:
    """What it gave out, by address; `expires_at` is a time, or None for no end."""
    rows = [
        {**each, "expires_at": each["expires_at"] and _time(each["expires_at"])}
        for each in network.leases
    ]
    return sorted(rows, key=lambda each: str(each["address"]))


def filters(host: Host) -> QuerySet[NetworkFilter]:
    """Its packet filters by name."""
    return host.filters.order_by("name")


def devices(host: Host) -> QuerySet[HostDevice]:
    """Its devices that could be given to a guest, by kind and name."""
    return host.devices.order_by("kind", "name")


def ground(host: Host, own: Network | None = None) -> Ground:
    """What a network of this host must not collide with, those being made among it."""
    rows = host.networks.exclude(pk=own.pk) if own else host.networks.all()
    there = [
        Neighbour(row.name, row.bridge, row.cidr, row.mode != "bridge") for row in rows
    ]
    making = [
        Neighbour(plan.name, plan.bridge, plan.address, plan.mode != "bridge")
        for plan in _being_made(host)
        if plan.name not in {each.name for each in there}
    ]
    kinds = {it["name"]: it["kind"] for it in host.interfaces}
    if own and own.mode != "bridge":
        kinds.pop(own.bridge, None)
    return Ground([*there, *making], kinds)


def bridges(host: Host) -> list[str]:
    """Interfaces of the host that a network can be bridged to, as far as known."""
    own = set(host.networks.exclude(mode="bridge").values_list("bridge", flat=True))
    return [
        it["name"]
        for it in host.interfaces
        if it["name"] not in own and it["name"] != "lo"
    ]


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _being_made(host: Host) -> list[NetworkPlan]:
    rows = Operation.objects.filter(
        kind=_MAKING, host=host.pk, state__in=Operation.ACTIVE
    )
    return [
        NetworkPlan(**{**row.params["plan"], "dhcp": None})
        for row in rows.only("params")
    ]
