"""Virtual networks of a host, tolerant of odd ones: each says what is wrong with it."""

import ipaddress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import libvirt

from kvmweb.errors import Invalid
from kvmweb.virt.connection import READ_S, verb
from kvmweb.virt.errors import explain, problem_of
from kvmweb.virt.netplan import DhcpRange, FixedLease
from kvmweb.virt.types import Lease, NetworkFacts
from kvmweb.virt.xml.network import IP, Network


@verb(deadline_s=READ_S)
def look(conn: libvirt.virConnect) -> tuple[NetworkFacts, ...]:
    """All networks, by name; none on a host that has no such thing."""
    try:
        networks = conn.listAllNetworks(0)
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_SUPPORT:
            return ()
        raise explain(error, "list the networks") from error
    facts = (_facts(each) for each in networks)
    return tuple(sorted(filter(None, facts), key=lambda each: each.name))


def _facts(network: libvirt.virNetwork) -> NetworkFacts | None:
    """One network; None when it went while we looked."""
    document, problem = Network.make(), ""
    active = autostart = persistent = False
    try:
        active = bool(network.isActive())
        persistent = bool(network.isPersistent())
        autostart = bool(network.autostart())
        document = Network.parse(network.XMLDesc(0))
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_NETWORK:
            return None
        problem = problem_of(error, f"read the network {network.name()}")
    except Invalid as error:
        problem = error.detail
    leases, trouble = _leases(network) if active else ((), "")
    addresses = list(document.ips)
    return NetworkFacts(
        uuid=UUID(bytes=network.UUID()),
        name=str(network.name()),
        active=active,
        autostart=autostart,
        persistent=persistent,
        mode=mode_of(document),
        bridge=document.bridge,
        cidr=next(filter(None, map(cidr_of, addresses)), ""),
        dhcp=any(each.dhcp for each in addresses),
        leases=leases,
        problem=problem or trouble,
        gateway=next((each.address for each in addresses if cidr_of(each)), ""),
        ranges=tuple(
            DhcpRange(told.start, told.end) for ip in addresses for told in ip.ranges
        ),
        fixed=tuple(
            FixedLease(told.mac.lower(), told.ip, told.name)
            for ip in addresses
            for told in ip.hosts
        ),
        vlan=next((each.id for each in document.vlans), None),
        openvswitch=document.virtualport == "openvswitch",
        portgroups=tuple(each.name for each in document.portgroups),
    )


def mode_of(document: Network) -> str:
    """The word for how it reaches the world: isolated, nat, open, bridge or another."""
    if not document.forwards:
        return "isolated"
    return document.mode or "nat"


def cidr_of(ip: IP) -> str:
    """The network of this address; "" when it is none."""
    width = ip.prefix if ip.prefix is not None else ip.netmask
    text = f"{ip.address}/{width}" if width != "" else ip.address
    try:
        return str(ipaddress.ip_interface(text).network)
    except ValueError:
        return ""


def _leases(network: libvirt.virNetwork) -> tuple[tuple[Lease, ...], str]:
    try:
        told = network.DHCPLeases()
    except libvirt.libvirtError as error:
        if error.get_error_code() in _WITHOUT_LEASES:
            return (), ""
        return (), problem_of(error, f"read the leases of {network.name()}")
    return tuple(_lease(each) for each in told), ""


# A network on a bridge of somebody else's has no DHCP server to ask.
_WITHOUT_LEASES = (
    libvirt.VIR_ERR_NO_SUPPORT,
    libvirt.VIR_ERR_OPERATION_UNSUPPORTED,
    libvirt.VIR_ERR_NO_NETWORK,
    libvirt.VIR_ERR_OPERATION_INVALID,
)


def _lease(told: dict[str, Any]) -> Lease:
    return Lease(
        mac=(told.get("mac") or "").lower(),
        address=told.get("ipaddr") or "",
        hostname=told.get("hostname") or "",
        expires_at=_moment(told.get("expirytime") or 0),
    )


def _moment(seconds: int) -> datetime | None:
    """A time, unless the lease has no end or the host says nonsense."""
    try:
        return datetime.fromtimestamp(seconds, UTC) if seconds > 0 else None
    except (OverflowError, ValueError, OSError):
        return None
