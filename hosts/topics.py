"""Who hears of hosts on a live page: those who may see hosts."""

from hosts import access
from kvmweb.accounts.gate import Right, need
from kvmweb.accounts.models import User
from kvmweb.errors import NotFound
from kvmweb.live.topics import Filter, everything, topic


@topic("hosts")
def hosts(user: User, ident: str | None) -> Filter:
    """Every host's states and numbers."""
    if ident is not None:
        raise NotFound("One host's topic is host:ID.")
    need(user, Right.SEE_HOSTS)
    return everything


@topic("host")
def host(user: User, ident: str | None) -> Filter:
    """One host: its state, numbers and operations."""
    if ident is None or not ident.isdecimal():
        raise NotFound("There is no such host.")
    access.host(user, int(ident), Right.SEE_HOSTS)
    return everything
