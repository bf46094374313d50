"""What a person can ask of a guest's network cards: decide, write it down, return."""

from typing import Any

from guests.creation.wanted import NIC_MODELS
from guests.hardware import choosing, documents
from guests.hardware.checks import need_persistent
from guests.hardware.device_wishes import NicChange, NicWish
from guests.hardware.parts import find_nic
from guests.models import Document, Guest
from guests.services import need_changeable, submit_for
from kvmweb.accounts.gate import Right, need
from kvmweb.accounts.models import User
from kvmweb.errors import Conflict, Invalid, NotFound
from kvmweb.operations.models import Operation


def add(
    guest: Guest, wish: NicWish, *, when: str, by: User, address: str = ""
) -> Operation:
    """Give it a further network card. Raises Invalid, Conflict."""
    wish.need_valid()
    need_changeable(guest, by)
    choosing.need_filter(guest, wish.filter)
    params: dict[str, Any] = {
        **_place(guest, wish.network, wish.bridge, by),
        "model": wish.model or NIC_MODELS[0],
        "mac": wish.mac or _free_mac(),
        "link_up": wish.link_up,
        "filter": wish.filter,
        "inbound_kib_s": wish.inbound_kib_s,
        "outbound_kib_s": wish.outbound_kib_s,
        "when": when,
    }
    if wish.mac and _is_taken(wish.mac):
        sentence = f"Another network card has the address {wish.mac}."
        raise Invalid(sentence, errors={"mac": [sentence]})
    return submit_for("guest.nic-add", guest, by, address, params)


def change(
    guest: Guest, mac: str, wish: NicChange, *, when: str, by: User, address: str = ""
) -> Operation:
    """Another network, model, link, filter or limit. Raises NotFound, Invalid."""
    wish.need_valid()
    need_changeable(guest, by)
    _need_nic(guest, mac)
    if wish.filter:
        choosing.need_filter(guest, wish.filter)
    told = wish.params()
    if wish.network or wish.bridge:
        told |= _place(guest, wish.network or "", wish.bridge or "", by)
    if wish.model is not None:
        need_persistent(guest)
    params = {"mac": mac.lower(), "change": told, "when": when}
    return submit_for("guest.nic-change", guest, by, address, params)


def remove(
    guest: Guest, mac: str, *, when: str, by: User, address: str = ""
) -> Operation:
    """Take a network card from it. Raises NotFound when it has no such card."""
    need_changeable(guest, by)
    _need_nic(guest, mac)
    params = {"mac": mac.lower(), "when": when}
    return submit_for("guest.nic-remove", guest, by, address, params)


def _place(guest: Guest, network: str, bridge: str, by: User) -> dict[str, str]:
    """Where a card leads. A bridge leads into the host's own networks."""
    if bridge:
        need(by, Right.MANAGE_NETWORKS)
        return {"network": "", "bridge": bridge}
    return {"network": choosing.network(guest, network).name, "bridge": ""}


def _need_nic(guest: Guest, mac: str) -> None:
    found = (find_nic(doc, mac) for doc in choosing.documents(guest))
    if not any(each is not None for each in found):
        raise NotFound(f"{guest.name} has no network card {mac[:40]!r}.")


def _free_mac() -> str:
    for _ in range(10):
        if not _is_taken(mac := documents.free_mac()):
            return mac
    raise Conflict("No free MAC address was found; try again.")


def _is_taken(mac: str) -> bool:
    """Whether any guest that we know has this address, now or at its next start."""
    rows = Document.objects.filter(xml__icontains=mac)
    return (
        rows.exists() or Document.objects.filter(inactive_xml__icontains=mac).exists()
    )
