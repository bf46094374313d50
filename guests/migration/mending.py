"""What can be mended by a click where a move is refused."""

from collections.abc import Callable
from dataclasses import dataclass

from guests.hardware import disks
from guests.hardware.wishes import NOW
from guests.migration import asking
from guests.models import Guest
from hosts.models import Host, Network, Pool
from hosts.networks import services as networks
from hosts.storage import pool_services as pools
from kvmweb.accounts.gate import Right, may, need
from kvmweb.accounts.models import User
from kvmweb.errors import Invalid, NotFound
from kvmweb.operations.models import Operation

Act = Callable[[Guest, Host, str, User, str], Operation]


@dataclass(frozen=True, slots=True)
class Mend:
    """A button that mends one thing."""

    label: str
    right: Right
    act: Act


def _eject(guest: Guest, _host: Host, target: str, by: User, address: str) -> Operation:
    return disks.set_media(guest, "", target=target, when=NOW, by=by, address=address)


def _check(
    guest: Guest, host: Host, _subject: str, by: User, address: str
) -> Operation:
    return asking.check_now(guest, [host], by=by, address=address)


def _start_network(
    _guest: Guest, host: Host, name: str, by: User, address: str
) -> Operation:
    row = Network.objects.select_related("host").filter(host=host, name=name).first()
    if row is None:
        raise NotFound(f"{host.name} has no network of this name any more.")
    return networks.start(row, by=by, address=address)


def _start_pool(
    _guest: Guest, host: Host, name: str, by: User, address: str
) -> Operation:
    row = Pool.objects.select_related("host").filter(host=host, name=name).first()
    if row is None:
        raise NotFound(f"{host.name} has no pool of this name any more.")
    return pools.start(row, by=by, address=address)


MENDS = {
    "eject": Mend("Eject", Right.CHANGE, _eject),
    "prove": Mend("Prove it", Right.MIGRATE, _check),
    "check": Mend("Ask it now", Right.MIGRATE, _check),
    "start-network": Mend("Start it", Right.MANAGE_NETWORKS, _start_network),
    "start-pool": Mend("Start it", Right.MANAGE_POOLS, _start_pool),
}


def button(action: str, by: User) -> str:
    """The words of the button that this person may press; "" when there is none."""
    found = MENDS.get(action)
    return found.label if found and may(by, found.right) else ""


def mend(
    guest: Guest, host: Host, action: str, subject: str, *, by: User, address: str = ""
) -> Operation:
    """Do it. Raises Invalid for an unknown action, Forbidden, Conflict, NotFound."""
    found = MENDS.get(action)
    if found is None:
        raise Invalid(f"There is no button {action[:40]!r}.")
    need(by, found.right)
    return found.act(guest, host, subject, by, address)
