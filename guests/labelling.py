"""Copies of owner, project and tags for the domains' own documents, where hosts are up.

They lock nothing: whoever starts such a guest a moment later need not wait for them.
"""

from collections import defaultdict
from collections.abc import Iterable

from guests.models import Guest
from hosts.models import Host
from kvmweb.accounts.services import Asker
from kvmweb.operations.services import submit
from kvmweb.virt.types import DomainState

_AT_ONCE = 200  # guests of one operation


def one(guest: Guest, by: Asker) -> None:
    """Have its host told, if it is there. Its host is to be loaded already."""
    host = _reached(guest)
    if host is None:
        return
    submit(
        "guest.label",
        by=by.user,
        guest_name=guest.name,
        host=host.pk,
        host_name=host.name,
        params={"guest": str(guest.pk)},
        address=by.address,
    )


def many(guests: Iterable[Guest], by: Asker) -> None:
    """Have the hosts that are up told: one operation for many guests of each.

    The guests' hosts are to be loaded already.
    """
    at: dict[Host, list[str]] = defaultdict(list)
    for guest in guests:
        if host := _reached(guest):
            at[host].append(str(guest.pk))
    for home, uuids in at.items():
        for start in range(0, len(uuids), _AT_ONCE):
            some = uuids[start : start + _AT_ONCE]
            submit(
                "guest.label-many",
                by=by.user,
                guest_name=f"{len(some)} guests",
                host=home.pk,
                host_name=home.name,
                params={"guests": some},
                address=by.address,
            )


def _reached(guest: Guest) -> Host | None:
    """Its host, where it can be told."""
    host = guest.host
    up = host is not None and host.state == Host.State.UP
    return host if up and guest.state != DomainState.GONE else None
