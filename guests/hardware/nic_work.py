"""Network cards plugged in, changed and pulled out, in a worker."""

from collections.abc import Callable
from typing import Any

from guests.creation import devices
from guests.creation.parts import Nic as Part
from guests.hardware import documents
from guests.hardware.machine import Machine, changed
from guests.hardware.parts import Seat, find_nic
from guests.hardware.work import again, may_change, outcome
from kvmweb.operations.registry import work
from kvmweb.operations.run import Run
from kvmweb.virt.xml.devices import FilterRef, Inbound, Nic, Outbound, Traffic
from kvmweb.virt.xml.domain import Domain


@work("guest.nic-add", allowed=may_change, recover=again)
def add(run: Run) -> dict[str, Any]:
    """Plug in a network card."""
    said = run.params
    part = Part(
        network=said["network"],
        bridge=said["bridge"],
        model=said["model"],
        mac=said["mac"],
        filter=said["filter"],
        inbound_kib_s=said["inbound_kib_s"],
        outbound_kib_s=said["outbound_kib_s"],
    )
    nic = devices.nic(part, order=None)
    if not said["link_up"]:
        nic.link = "down"
    find = _finding(said["mac"])
    why = changed(run, lambda it: it.plug(nic, find, documents.add_nic))
    return outcome(run, f"the network card {nic.mac}", "added", why, mac=nic.mac)


@work("guest.nic-change", allowed=may_change, recover=again)
def change(run: Run) -> dict[str, Any]:
    """Another network, model, link, filter or limit."""
    said, find = run.params["change"], _finding(run.params["mac"])

    def make(machine: Machine) -> str:
        return machine.adjust(find, lambda nic: _set(nic, said))

    why = changed(run, make)
    mac = run.params["mac"]
    return outcome(run, f"the network card {mac}", "changed", why, mac=mac)


@work("guest.nic-remove", allowed=may_change, recover=again)
def remove(run: Run) -> dict[str, Any]:
    """Pull out a network card."""
    mac = run.params["mac"]

    def pull(machine: Machine) -> str:
        return machine.unplug(_finding(mac), lambda doc, nic: doc.nics.remove(nic))

    return outcome(
        run, f"the network card {mac}", "removed", changed(run, pull), mac=mac
    )


def _finding(mac: str) -> Callable[[Domain], Nic | None]:
    """Finds the card of this MAC address in a document."""
    return lambda doc: find_nic(doc, mac)


def _set(nic: Nic, said: dict[str, Any]) -> None:
    if said.get("network") or said.get("bridge"):
        _lead(nic, said["network"], said["bridge"])
    if said.get("model") and said["model"] != nic.model:
        nic.model = said["model"]
        Seat(nic.element).address = None  # another card may fit elsewhere
    if said.get("link_up") is not None and said["link_up"] != (nic.link != "down"):
        nic.link = "up" if said["link_up"] else "down"
    if said.get("filter") is not None:
        _guard(nic, said["filter"])
    for name, kind in (("inbound", Inbound), ("outbound", Outbound)):
        limit = said.get(f"{name}_kib_s")
        if limit is not None:
            _limit(nic, name, kind, limit)


def _limit(nic: Nic, name: str, kind: type[Traffic], limit: int) -> None:
    now: Traffic | None = getattr(nic, name)
    if limit == ((now.average or 0) if now else 0):
        return
    if now and limit:
        now.average = limit
    else:
        setattr(nic, name, kind.make(average=limit) if limit else None)


def _lead(nic: Nic, network: str, bridge: str) -> None:
    """To this network, or this bridge."""
    if (network and nic.network == network) or (bridge and nic.bridge == bridge):
        return
    nic.type = "bridge" if bridge else "network"
    if bridge:
        nic.bridge = bridge
    else:
        nic.network = network
    other = "network" if bridge else "bridge"
    for name in (other, "dev", "mode", "portgroup", "source_name"):
        setattr(nic, name, None)


def _guard(nic: Nic, name: str) -> None:
    now = nic.filterref.filter if nic.filterref else ""
    if now != name:
        nic.filterref = FilterRef.make(filter=name) if name else None
