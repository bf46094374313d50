"""Verbs about one network of a host, found by its UUID. Each may be run twice."""

import ipaddress
from collections.abc import Iterator
from uuid import UUID

import libvirt

from kvmweb.errors import Conflict, NotFound
from kvmweb.virt import interfaces
from kvmweb.virt.connection import CHANGE_S, READ_S, verb
from kvmweb.virt.errors import explain, explaining
from kvmweb.virt.netplan import DhcpRange, FixedLease, NetworkPlan
from kvmweb.virt.networks import cidr_of, mode_of
from kvmweb.virt.xml.document import Many, Node, Text, parse
from kvmweb.virt.xml.network import IP, DhcpHost, Network, VlanTag
from kvmweb.virt.xml.network import DhcpRange as Range

_HOSTS = libvirt.VIR_NETWORK_SECTION_IP_DHCP_HOST
_RANGES = libvirt.VIR_NETWORK_SECTION_IP_DHCP_RANGE
_LIVE = libvirt.VIR_NETWORK_UPDATE_AFFECT_LIVE
_CONFIG = libvirt.VIR_NETWORK_UPDATE_AFFECT_CONFIG
_INACTIVE = libvirt.VIR_NETWORK_XML_INACTIVE


@verb(deadline_s=CHANGE_S)
def define(conn: libvirt.virConnect, uuid: UUID, plan: NetworkPlan) -> None:
    """Have a network of this UUID and plan; one that is there already stays as it is.

    Raises Conflict when another network has its name, or its bridge is not there.
    """
    if _known(conn, uuid):
        return
    if plan.name in {str(each.name()) for each in _all(conn)}:
        raise Conflict(f"There is a network named {plan.name} on this host already.")
    if plan.mode == "bridge":
        interfaces.need_bridge(conn, plan.bridge, tagged=plan.vlan is not None)
    document = Network.make(name=plan.name, uuid=str(uuid))
    _shape(document, plan)
    if plan.address:
        document.ips.add(_ip(plan))
    with explaining(f"make the network {plan.name}"):
        conn.networkDefineXML(str(document))


@verb(deadline_s=CHANGE_S)
def start(conn: libvirt.virConnect, uuid: UUID) -> None:
    """Bring it up; one that is up stays so."""
    network = _find(conn, uuid)
    with explaining(f"start the network {network.name()}"):
        if not network.isActive():
            network.create()


@verb(deadline_s=CHANGE_S)
def stop(conn: libvirt.virConnect, uuid: UUID, *, force: bool = False) -> None:
    """Take it down; a transient one is gone then.

    Raises Conflict naming the running guests that would lose it, unless `force`.
    """
    network = _known(conn, uuid)
    if network is None or not network.isActive():
        return
    if not force and (names := _users(conn, network, running=True)):
        raise Conflict(
            f"{_listed(names)} would lose their network {network.name()}.",
            hint="Shut them down first, or stop it nevertheless.",
        )
    with explaining(f"stop the network {network.name()}"):
        network.destroy()


@verb(deadline_s=CHANGE_S)
def set_autostart(conn: libvirt.virConnect, uuid: UUID, *, enabled: bool) -> None:
    """Whether it comes up with its host."""
    network = _find(conn, uuid)
    with explaining(f"set the autostart of {network.name()}"):
        network.setAutostart(int(enabled))


@verb(deadline_s=CHANGE_S)
def delete(conn: libvirt.virConnect, uuid: UUID) -> None:
    """Take it down and forget it. Raises Conflict naming the guests that use it."""
    network = _known(conn, uuid)
    if network is None:
        return
    if names := _users(conn, network):
        message = f"The network {network.name()} is used by {_listed(names)}."
        raise Conflict(message, hint="Give them another network first.")
    with explaining(f"delete the network {network.name()}"):
        persistent = network.isPersistent()
        if network.isActive():
            network.destroy()
        if persistent:
            network.undefine()


@verb(deadline_s=READ_S)
def users_of(conn: libvirt.virConnect, uuid: UUID) -> tuple[str, ...]:
    """The guests that use it, running or not, in any of their documents, by name."""
    return tuple(_users(conn, _find(conn, uuid)))


@verb(deadline_s=CHANGE_S)
def change(conn: libvirt.virConnect, uuid: UUID, plan: NetworkPlan) -> bool:
    """Make its definition what the plan says, and nothing else of it.

    Whether that is in force now: a new DHCP range is, other things wait for the
    network's next start when it is up. Raises Unsupported for a transient one.
    """
    network = _find(conn, uuid)
    name = network.name()
    with explaining(f"change the network {name}"):
        if not network.isPersistent():
            raise Conflict(f"{name} is transient: it has no definition to change.")
        document = _defined(network)
        before = str(document)
        _apply(document, plan)
        if plan.mode == "bridge":
            interfaces.need_bridge(conn, plan.bridge, tagged=plan.vlan is not None)
        if str(document) != before:
            conn.networkDefineXML(str(document))
        if not network.isActive():
            return True
        live = Network.parse(network.XMLDesc(0))
        _make_ranges(network, live, plan)
        return not _differ(Network.parse(network.XMLDesc(0)), document)


@verb(deadline_s=CHANGE_S)
def fix_lease(conn: libvirt.virConnect, uuid: UUID, lease: FixedLease) -> None:
    """Give this network card always this address, now and later.

    Raises Conflict when the network gives out no addresses, or another card has it.
    """
    network = _find(conn, uuid)
    xml = str(_host(lease))
    with explaining(f"fix an address in the network {network.name()}"):
        for flag, document in _documents(network):
            for index, ip in enumerate(document.ips):
                if not ip.dhcp or not _within(lease.address, ip):
                    continue
                known = {each.mac.lower() for each in ip.hosts}
                word = (
                    libvirt.VIR_NETWORK_UPDATE_COMMAND_MODIFY
                    if lease.mac in known
                    else libvirt.VIR_NETWORK_UPDATE_COMMAND_ADD_LAST
                )
                network.update(word, _HOSTS, index, xml, flag)
                break
            else:
                message = f"{network.name()} gives out no addresses like this one."
                raise Conflict(message, hint="Turn its DHCP on first.")


@verb(deadline_s=CHANGE_S)
def free_lease(conn: libvirt.virConnect, uuid: UUID, mac: str) -> None:
    """Let this network card have any address again; one without is no error."""
    network = _find(conn, uuid)
    with explaining(f"free an address in the network {network.name()}"):
        for flag, document in _documents(network):
            for index, ip in enumerate(document.ips):
                for each in ip.hosts:
                    if each.mac.lower() == mac:
                        word = libvirt.VIR_NETWORK_UPDATE_COMMAND_DELETE
                        network.update(word, _HOSTS, index, str(each), flag)


# The document


def _shape(document: Network, plan: NetworkPlan) -> None:
    """Everything of the plan but its addresses."""
    if plan.mode == "isolated":
        document.forwards = False
    else:
        document.mode = plan.mode
        document.nat = False if plan.mode != "nat" else document.nat
        if plan.mode == "nat" and ":" in plan.address:
            document.nat_ipv6 = True
    if plan.bridge:
        document.bridge = plan.bridge
    if plan.mode == "bridge":
        document.virtualport = "openvswitch" if plan.vlan else None
        tags = [VlanTag.make(id=plan.vlan)] if plan.vlan else []
        if [tag.id for tag in document.vlans] != [tag.id for tag in tags]:
            document.vlans = tags


def _ip(plan: NetworkPlan) -> IP:
    ip = IP.make()
    _address(ip, plan)
    if plan.dhcp:
        ip.ranges.add(Range.make(start=plan.dhcp.start, end=plan.dhcp.end))
    return ip


def _address(ip: IP, plan: NetworkPlan) -> None:
    own = ipaddress.ip_interface(plan.address)
    ip.family = "ipv6" if own.version == 6 else None
    ip.address = str(own.ip)
    ip.netmask = None
    ip.prefix = own.network.prefixlen


def _apply(document: Network, plan: NetworkPlan) -> None:
    """The same document as the plan wants it; what the plan does not say stays."""
    if (mode_of(document), document.bridge, _vlan(document)) != (
        plan.mode,
        plan.bridge or document.bridge,
        plan.vlan,
    ):
        _shape(document, plan)
    first = next((ip for ip in document.ips if cidr_of(ip)), None)
    if first is None:
        if plan.address:
            document.ips.add(_ip(plan))
        return
    if not plan.address:
        document.ips.remove(first)
        return
    if _interface(first) != plan.address:
        _address(first, plan)
    if _ranges(first) != _wanted(plan):
        if plan.dhcp is None:
            first.dhcp = False
        else:
            first.ranges = [Range.make(start=plan.dhcp.start, end=plan.dhcp.end)]


def _make_ranges(network: libvirt.virNetwork, live: Network, plan: NetworkPlan) -> None:
    """Have the running network give out the plan's range, if its addresses are those."""
    for index, ip in enumerate(live.ips):
        if _interface(ip) != plan.address or _ranges(ip) == _wanted(plan):
            continue
        for old in ip.ranges:
            word = libvirt.VIR_NETWORK_UPDATE_COMMAND_DELETE
            network.update(word, _RANGES, index, str(old), _LIVE)
        for new in _wanted(plan):
            word = libvirt.VIR_NETWORK_UPDATE_COMMAND_ADD_LAST
            xml = str(Range.make(start=new.start, end=new.end))
            network.update(word, _RANGES, index, xml, _LIVE)


def _differ(live: Network, defined: Network) -> bool:
    def said(document: Network) -> object:
        ips = [(_interface(ip), _ranges(ip)) for ip in document.ips]
        return mode_of(document), document.bridge, _vlan(document), ips

    return said(live) != said(defined)


def _interface(ip: IP) -> str:
    """The host's own address with its width; "" when it is odd."""
    cidr = cidr_of(ip)
    return f"{ip.address}/{cidr.partition('/')[2]}" if cidr else ""


def _ranges(ip: IP) -> list[DhcpRange]:
    return [DhcpRange(each.start, each.end) for each in ip.ranges]


def _wanted(plan: NetworkPlan) -> list[DhcpRange]:
    return [plan.dhcp] if plan.dhcp else []


def _vlan(document: Network) -> int | None:
    return next((each.id for each in document.vlans), None)


def _host(lease: FixedLease) -> DhcpHost:
    host = DhcpHost.make(mac=lease.mac, ip=lease.address)
    host.name = lease.name or None
    return host


def _within(address: str, ip: IP) -> bool:
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(cidr_of(ip))
    except ValueError:
        return False


def _documents(network: libvirt.virNetwork) -> Iterator[tuple[int, Network]]:
    """What a change of it is to be made in: its definition, what runs, or both."""
    if network.isPersistent():
        yield _CONFIG, _defined(network)
    if network.isActive():
        yield _LIVE, Network.parse(network.XMLDesc(0))


def _defined(network: libvirt.virNetwork) -> Network:
    """What it is from its next start on."""
    flags = _INACTIVE if network.isActive() else 0  # the test driver takes no flag
    return Network.parse(network.XMLDesc(flags))


# Who uses it


class _Nic(Node):
    tag = "interface"
    network = Text("source/@network")
    bridge = Text("source/@bridge")


class _Devices(Node):
    tag = "domain"
    nics = Many(_Nic, "devices")


def _users(
    conn: libvirt.virConnect, network: libvirt.virNetwork, *, running: bool = False
) -> list[str]:
    """Names of the guests that use it. Raises Invalid when a document cannot be read."""
    name = str(network.name())
    document = Network.parse(network.XMLDesc(0))
    bridge = document.bridge if document.mode != "bridge" else ""
    found = set()
    with explaining(f"see who uses the network {name}"):
        for domain in conn.listAllDomains(0):
            for text in _texts(domain, running=running):
                if _uses(text, name, bridge):
                    found.add(str(domain.name()))
    return sorted(found)


def _texts(domain: libvirt.virDomain, *, running: bool) -> Iterator[str]:
    try:
        if domain.isActive():
            yield domain.XMLDesc(0)
        if not running and domain.isPersistent():
            yield domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
            raise


def _uses(text: str, name: str, bridge: str) -> bool:
    nics = _Devices(parse(text)).nics
    return any(
        each.network == name or (bridge and each.bridge == bridge) for each in nics
    )


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 5} others" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more


# Finding it


def _all(conn: libvirt.virConnect) -> list[libvirt.virNetwork]:
    with explaining("list the networks"):
        return list(conn.listAllNetworks(0))


def _find(conn: libvirt.virConnect, uuid: UUID) -> libvirt.virNetwork:
    network = _known(conn, uuid)
    if network is None:
        raise NotFound("The host does not know this network any more.")
    return network


def _known(conn: libvirt.virConnect, uuid: UUID) -> libvirt.virNetwork | None:
    try:
        return conn.networkLookupByUUIDString(str(uuid))
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_NETWORK:
            return None
        raise explain(error, f"find the network {uuid}") from error
