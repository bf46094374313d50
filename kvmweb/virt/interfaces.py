"""Network interfaces of a host itself: what a network can be bridged to."""

import libvirt

from kvmweb.errors import Conflict, Invalid
from kvmweb.virt.abilities import InterfaceFacts
from kvmweb.virt.connection import READ_S, verb
from kvmweb.virt.errors import explain
from kvmweb.virt.xml.interface import Interface

_OF_GUESTS = ("vnet", "macvtap", "vif")  # their names come and go with guests
_MOST = 300


@verb(deadline_s=READ_S)
def look(conn: libvirt.virConnect) -> tuple[InterfaceFacts, ...]:
    """All but those that belong to guests, by name; none where the host can't say."""
    try:
        interfaces = conn.listAllInterfaces(0)
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_SUPPORT:
            return ()
        raise explain(error, "list the host's network interfaces") from error
    own = [it for it in interfaces if not str(it.name()).startswith(_OF_GUESTS)]
    facts = (_read(each) for each in own[:_MOST])
    return tuple(sorted(filter(None, facts), key=lambda each: each.name))


def need_bridge(conn: libvirt.virConnect, name: str, *, tagged: bool) -> None:
    """Nothing. Raises Conflict when there is no such bridge, or it cannot tag a VLAN.

    Where the host can't say, what it says later on must do.
    """
    try:
        found = _read(conn.interfaceLookupByName(name))
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_INTERFACE:
            message = f"The host has no interface {name}."
            raise Conflict(message, hint="Make the bridge there first.") from error
        if error.get_error_code() == libvirt.VIR_ERR_NO_SUPPORT:
            return
        raise explain(error, f"look at the interface {name}") from error
    if tagged and found and found.kind == "bridge":
        raise Conflict(
            f"{name} is a plain Linux bridge, which cannot tag a VLAN for one network.",
            hint="Use an Open vSwitch bridge, or a bridge on the VLAN's own interface.",
        )


def _read(interface: libvirt.virInterface) -> InterfaceFacts | None:
    """One interface; None when it went while we looked, or makes no sense."""
    try:
        document = Interface.parse(interface.XMLDesc(0))
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_INTERFACE:
            return None
        raise explain(error, f"read the interface {interface.name()}") from error
    except Invalid:
        return None
    return InterfaceFacts(document.name, document.type)
