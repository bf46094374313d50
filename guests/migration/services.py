"""What a person can ask of moves: decide, write down an operation, return at once."""

from dataclasses import replace
from typing import Any

from django.db import transaction

from guests import services as guest_services
from guests.migration import placing
from guests.migration.wishes import LIVE, MoveWish
from guests.models import Guest
from guests.queries import Volumes
from hosts.models import Host
from hosts.services import need_up
from hosts.storage.claims import claim
from kvmweb.accounts.models import User
from kvmweb.errors import Conflict, Invalid
from kvmweb.operations.models import Operation
from kvmweb.operations.services import submit
from kvmweb.virt.types import DomainState

KIND = "guest.migrate"
_ON = frozenset({DomainState.RUNNING, DomainState.PAUSED})
_OFF = frozenset({DomainState.SHUTOFF, DomainState.CRASHED})


def migrate(  # noqa: PLR0913 - as other services, by name
    person: User | None,
    guest: Guest,
    wish: MoveWish,
    *,
    parent: Operation | None = None,
    address: str = "",
    canary: bool = False,
    expires_s: int | None = 120,
) -> Operation:
    """Have the guest brought to another host; without one in the wish, one is chosen.

    `person` is None for what the product does by itself. Raises Invalid for a host that
    is none, Conflict when its state, its host or the other host does not allow it, or
    no host fits.
    """
    _need_movable(person, guest, wish)
    target, predicted = placing.chosen(guest, wish)
    need_up(target)
    if target.maintenance and wish.host is None:
        raise Conflict(f"{target.name} is in maintenance: no guests go there.")
    params: dict[str, Any] = {
        "wish": replace(wish, host=target.pk).as_json(),
        "target": target.pk,
        "target_name": target.name,
        "predicted": predicted,
        "canary": canary,
        "promise": _promise(guest, target),
    }
    with transaction.atomic():
        operation = submit(
            KIND,
            by=person,
            guest=guest.pk,
            guest_name=guest.name,
            host=guest.host_id,
            host_name=guest.host.name if guest.host else "",
            params=params,
            parent=parent,
            address=address,
            expires_s=expires_s,
        )
        if guest.host is not None:
            claim(operation, guest.host, _paths(guest), destroys=False)
    return operation


def _need_movable(person: User | None, guest: Guest, wish: MoveWish) -> None:
    if person is not None:
        guest_services.need_there(guest, person)
    elif guest.host is None or guest.state == DomainState.GONE:
        raise Conflict(f"{guest.name} is gone: no host knows it any more.")
    else:
        need_up(guest.host)
    if wish.host is not None and wish.host == guest.host_id:
        raise _invalid(f"{guest.name} is there already.")
    if wish.mode == LIVE and guest.state not in _ON:
        raise Conflict(
            f"{guest.name} is {guest.state}, so it cannot move live.",
            hint="Move it offline.",
        )
    if wish.mode != LIVE and guest.state not in _OFF:
        raise Conflict(
            f"{guest.name} is {guest.state}, so it cannot move offline.",
            hint="Shut it down first, or move it live.",
        )
    if wish.mode != LIVE and not guest.persistent:
        raise Conflict(f"{guest.name} is transient: off, there is nothing to move.")


def _invalid(sentence: str) -> Invalid:
    return Invalid(sentence, errors={"host": [sentence]})


def _promise(guest: Guest, target: Host) -> dict[str, Any]:
    """What it will take of its target; counted by placement while it is under way."""
    on = guest.state in _ON
    return {
        "host": target.pk,
        "vcpus": guest.vcpus if on else 0,
        "memory_bytes": guest.memory_bytes if on else 0,
        "pools": [],
    }


def _paths(guest: Guest) -> list[str]:
    """Its disks: nobody may delete or overwrite them on the way."""
    places = Volumes([guest])
    found: dict[str, None] = {}
    for disk in guest.disks:
        if disk["device"] in {"disk", "lun"} and not disk["readonly"]:
            place = places.find(guest.host_id, disk)
            found[place.path if place else disk["path"]] = None
    return [path for path in found if path.startswith("/")]
