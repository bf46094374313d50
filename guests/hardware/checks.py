"""What our rows know against a change of hardware, before anything is asked of a host."""

from typing import Any

from guests.hardware.wishes import Hardware
from guests.models import Guest
from kvmweb.accounts.gate import Right, need
from kvmweb.accounts.models import User
from kvmweb.errors import Conflict, Invalid
from kvmweb.virt.types import DomainState

OFF = frozenset({DomainState.SHUTOFF, DomainState.CRASHED})


def hardware(guest: Guest, wish: Hardware, *, by: User) -> dict[str, Any]:
    """The operation's params for this change.

    Raises Forbidden without the right to change hardware, Invalid for what no guest or
    not this host could have, Conflict when the guest's state or name is against it.
    """
    need(by, Right.CHANGE)
    return possible(guest, wish)


def possible(guest: Guest, wish: Hardware) -> dict[str, Any]:
    """The same for who has the right already. Raises Invalid, Conflict."""
    wish.need_valid()
    if wish.name is not None and wish.name != guest.name:
        _need_free_name(guest, wish.name)
    if wish.boot is not None:
        _need_devices(guest, wish.boot)
    _need_possible(guest, wish)
    return {"hardware": wish.params()}


def need_persistent(guest: Guest) -> None:
    """Nothing. Raises Conflict for a guest that nobody has defined."""
    if not guest.persistent:
        raise Conflict(
            f"{guest.name} is transient: it has no definition that could be changed."
        )


def _need_free_name(guest: Guest, name: str) -> None:
    if guest.state not in OFF:
        raise Conflict(
            f"{guest.name} is {guest.state}: only a guest that is off can be renamed."
        )
    others = Guest.objects.filter(host=guest.host_id, name=name)
    if others.exclude(pk=guest.pk).exclude(state=DomainState.GONE).exists():
        raise Conflict(f"There is a guest named {name} on its host already.")


def _need_devices(guest: Guest, names: tuple[str, ...]) -> None:
    there = {disk["target"] for disk in guest.disks}
    there |= {nic["mac"].lower() for nic in guest.nics}
    for name in names:
        if guest.state in OFF and name.lower() not in there:
            sentence = f"It has no disk or network card {name[:40]!r} to boot from."
            raise Invalid(sentence, errors={"boot": [sentence]})


def _need_possible(guest: Guest, wish: Hardware) -> None:
    """Nothing. Raises Invalid for what its host has said it cannot do."""
    told: dict[str, Any] = guest.host.capabilities if guest.host else {}
    errors: dict[str, list[str]] = {}
    most = told.get("max_vcpus") or 0
    for name in ("vcpus", "vcpus_max"):
        if most and (getattr(wish, name) or 0) > most:
            errors[name] = [f"A guest of its host has at most {most} vCPUs."]
    firmwares = told.get("firmware") or ()
    if firmwares and wish.firmware and wish.firmware not in firmwares:
        errors["firmware"] = [f"Its host offers {', '.join(firmwares)}."]
    if errors:
        sentences = " ".join(text for texts in errors.values() for text in texts)
        raise Invalid(sentences, errors=errors)
