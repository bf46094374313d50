"""Which guests are on a network of a host: what hosts ask before one is taken away."""

from hosts.models import Network
from hosts.networks.users import network_users
from kvmweb.virt.types import DomainState


@network_users
def guests_on(network: Network) -> list[str]:
    """The names of the guests with a card on it, by what their host last said."""
    guests = network.host.guests.exclude(state=DomainState.GONE)
    rows = guests.only("name", "nics")
    return [row.name for row in rows if any(_is_on(nic, network) for nic in row.nics)]


def _is_on(nic: dict[str, object], network: Network) -> bool:
    if nic["kind"] == "network":
        return nic["network"] == network.name
    own = network.mode != "bridge" and network.bridge
    return bool(own) and nic["kind"] == "bridge" and nic["network"] == network.bridge
