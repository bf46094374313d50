"""What a person can ask for about hosts. Nothing here reaches a host or waits."""

from dataclasses import replace
from typing import Any

from django.db import IntegrityError, transaction

from hosts import announce, evacuating
from hosts.access import need_up
from hosts.evacuating import Ways
from hosts.models import Host
from hosts.recorders import tell
from hosts.vault import address_of
from hosts.wishes import Wish, need_valid, wish_of
from kvmweb import samples
from kvmweb.accounts import audit
from kvmweb.accounts.models import User
from kvmweb.errors import Conflict, Invalid
from kvmweb.operations.models import Operation
from kvmweb.operations.services import submit
from kvmweb.virt.types import Transport

__all__ = [
    "add",
    "address_of",
    "check",
    "edit",
    "need_up",
    "remove",
    "set_maintenance",
    "wish_of",
]

_WAYS = ("transport", "address", "port", "username", "socket_path", "secrets")
_SYSTEM = "kvmweb"  # asks for what nobody asked for: the first host, the lab


def add(wish: Wish, *, by: User | None, address: str = "") -> Host:
    """A new host; the watcher connects to it, and a check of it is under way.

    `address` is where the person asks from. Raises Invalid for its parts, Conflict
    when the name or the place is another host's.
    """
    wish = _clean(wish)
    need_valid(wish)
    with transaction.atomic():
        _need_free(wish, None)
        host = _saved(Host(**wish.columns()))
        _record("host.add", host, by, address, {"transport": host.transport})
        check(host, by=by, address=address)
        announce.changed(host)
    return host


def edit(host: Host, wish: Wish, *, by: User | None, address: str = "") -> Host:
    """Make the host what is wished; reached in a new way, it is checked again.

    Raises Invalid and Conflict like `add`.
    """
    wish = _clean(wish)
    need_valid(wish)
    with transaction.atomic():
        host = Host.objects.select_for_update().get(pk=host.pk)
        _need_free(wish, host)
        new = _differing(host, wish)
        for column, value in new.items():
            setattr(host, column, value)
        if not new:
            return host
        _saved(host, list(new))
        _record("host.edit", host, by, address, {"fields": sorted(new)})
        if new.keys() & set(_WAYS):
            check(host, by=by, address=address)
        announce.changed(host)
    return host


def remove(host: Host, *, by: User | None, address: str = "") -> None:
    """Forget the host; nothing on it changes, and its guests are kept as gone."""
    with transaction.atomic():
        host = Host.objects.select_for_update().get(pk=host.pk)
        _record("host.remove", host, by, address, {"name": host.name})
        host_id, topic = host.pk, host.topic
        tell("removed", host)
        host.delete()
        samples.forget_host(host_id)
        announce.removed(host_id, topic)


def set_maintenance(
    host: Host,
    *,
    enabled: bool,
    evacuate: bool = False,
    ways: Ways | None = None,
    by: User,
    address: str = "",
) -> Operation:
    """Keep new guests away from the host, or let them come again.

    With `evacuate` its guests are moved away, as `ways` say; the moves are children of
    the operation. Raises Invalid to end maintenance and evacuate at once, Conflict to
    end it while guests are being moved away.
    """
    if evacuate and not enabled:
        sentence = "A host is only emptied when its maintenance begins."
        raise Invalid(sentence, errors={"evacuate": [sentence]})
    if evacuate:
        return evacuating.evacuate(host, ways or Ways(), by=by, address=address)
    if not enabled and (told := evacuating.under_way(host)):
        raise Conflict(told, hint="Wait for its end, or cancel it first.")
    with transaction.atomic():
        Host.objects.filter(pk=host.pk).update(maintenance=enabled)
        host.maintenance = enabled
        operation = submit(
            "host.maintenance",
            by=by,
            host=host.pk,
            host_name=host.name,
            params={"enabled": enabled, "evacuate": False},
            address=address,
        )
        announce.changed(host)
    return operation


def check(host: Host, *, by: User | None, address: str = "") -> Operation:
    """Try step by step whether and how the host can be reached."""
    return submit(
        "host.check", by=by, host=host.pk, host_name=host.name, address=address
    )


def _clean(wish: Wish) -> Wish:
    return replace(
        wish,
        name=wish.name.strip(),
        migration_address=wish.migration_address.strip(),
        tags=tuple(tag.strip() for tag in wish.tags if tag.strip()),
        address=replace(wish.address, host=wish.address.host.strip()),
    )


def _differing(host: Host, wish: Wish) -> dict[str, Any]:
    """The columns that change. Sealed text differs each time, so secrets are compared open."""
    columns = wish.columns()
    if wish.address.secrets == address_of(host).secrets:
        del columns["secrets"]
    return {name: to for name, to in columns.items() if getattr(host, name) != to}


def _need_free(wish: Wish, own: Host | None) -> None:
    others = Host.objects.exclude(pk=own.pk) if own else Host.objects.all()
    if others.filter(name=wish.name).exists():
        raise Conflict(f"There is a host named {wish.name} already.", field="name")
    if wish.address.transport == Transport.TEST:
        return  # each connection to the test driver is a machine of its own
    place = wish.columns()
    same = others.filter(
        **{
            name: place[name]
            for name in ("transport", "address", "port", "socket_path")
        }
    ).first()
    if same:
        raise Conflict(
            f"{same.name} is this very host already: it is reached the same way.",
            hint=f"Edit {same.name} instead.",
        )


def _saved(host: Host, fields: list[str] | None = None) -> Host:
    try:
        with transaction.atomic():
            host.save(update_fields=fields)
    except IntegrityError as error:  # somebody else was first, in this very moment
        message = f"There is a host named {host.name} already."
        raise Conflict(message) from error
    return host


def _record(
    action: str, host: Host, by: User | None, address: str, details: dict[str, Any]
) -> None:
    audit.record(
        action,
        actor=by or _SYSTEM,
        target=host.topic,
        outcome="succeeded",
        address=address,
        details={"name": host.name, **details},
    )
