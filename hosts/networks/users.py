"""The plug by which whoever keeps guests says which of them use a network."""

from collections.abc import Callable, Sequence

from hosts.models import Network

Users = Callable[[Network], Sequence[str]]
_plugged: list[Users] = []


def network_users(ask: Users) -> Users:
    """Register a function that names what uses a network, running or not."""
    _plugged.append(ask)
    return ask


def users_of(network: Network) -> list[str]:
    """The names of what uses it, as far as rows tell, sorted."""
    return sorted({name for ask in _plugged for name in ask(network)})
