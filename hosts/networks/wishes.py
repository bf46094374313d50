"""What a network is wished to be, checked against what its host has. Pure."""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from kvmweb.errors import Invalid
from kvmweb.virt.netplan import DhcpRange, FixedLease, NetworkPlan

MODES = ("nat", "route", "isolated", "open", "bridge")
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?")
_DEVICE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}")  # the kernel's own limit
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_HOST_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_WIDTHS = {4: range(8, 31), 6: range(48, 121)}
_LARGEST_RANGE = 65535  # libvirt's own
_USUAL_RANGE = 1000
_VLANS = range(1, 4095)
_FREE = [f"192.168.{third}.0/24" for third in range(100, 255)] + [
    f"10.{second}.0.0/24" for second in range(64, 128)
]

Interface: TypeAlias = ipaddress.IPv4Interface | ipaddress.IPv6Interface


@dataclass(frozen=True, slots=True)
class Wish:
    """A network as a person says it."""

    name: str
    mode: str
    bridge: str = ""
    cidr: str = ""  # a network, or the host's own address in it; "": see `planned`
    dhcp: DhcpRange | bool | None = None  # None: as is usual for its mode
    vlan: int | None = None


@dataclass(frozen=True, slots=True)
class Ground:
    """What the host has already; `networks` without the one that changes."""

    networks: Sequence["Neighbour"] = ()
    interfaces: Mapping[str, str] = field(default_factory=dict)  # name to kind


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another network of the same host."""

    name: str
    bridge: str
    cidr: str
    own_bridge: bool  # libvirt made its bridge


class _Faults(dict[str, list[str]]):
    """What is wrong, by field; the last thing said of a field stays."""

    def say(self, name: str, sentence: str) -> None:
        self[name] = [sentence]

    def need_none(self) -> None:
        """Nothing. Raises Invalid when there is one."""
        if self:
            sentences = " ".join(text for texts in self.values() for text in texts)
            raise Invalid(sentences, errors=dict(self))


def planned(wish: Wish, ground: Ground) -> NetworkPlan:
    """The wish, whole and possible. Raises Invalid naming each field that is not.

    Where it reaches the world by the host's own routing and names no addresses, free
    ones are taken; where it has addresses, it gives them out unless told not to.
    """
    errors = _Faults()
    _check_name(wish.name, errors)
    if wish.mode not in MODES:
        errors.say("mode", f"Choose one of {', '.join(MODES)}.")
    own: Interface | None = None
    if wish.mode == "bridge":
        _check_bridged(wish, ground, errors)
    else:
        _check_own_bridge(wish, ground, errors)
        own = _own_address(wish, ground, errors)
    dhcp = _range(wish, own, errors)
    errors.need_none()
    return NetworkPlan(
        name=wish.name,
        mode=wish.mode,
        bridge=wish.bridge,
        address=str(own) if own else "",
        dhcp=dhcp,
        vlan=wish.vlan,
    )


def free_cidr(networks: Sequence[Neighbour]) -> str:
    """A private network that none of these overlaps; "" when none is left."""
    taken = [net for each in networks if (net := _network(each.cidr))]
    for text in _FREE:
        free = ipaddress.ip_network(text)
        if not any(each.version == 4 and each.overlaps(free) for each in taken):
            return text
    return ""


def lease(mac: str, address: str, name: str, *, cidr: str) -> FixedLease:
    """A fixed address in this network. Raises Invalid naming each field."""
    errors = _Faults()
    mac, name = mac.strip().lower(), name.strip()
    if not _MAC.fullmatch(mac) or int(mac[:2], 16) & 1:
        errors.say("mac", "A MAC address looks like 52:54:00:12:34:56.")
    if name and not _HOST_NAME.fullmatch(name):
        errors.say("name", "Use small letters, digits and dashes, at most 63.")
    if sentence := _why_not_fixed(address.strip(), cidr):
        errors.say("address", sentence)
    errors.need_none()
    return FixedLease(mac, str(ipaddress.ip_address(address.strip())), name)


def _why_not_fixed(address: str, cidr: str) -> str:
    network = _network(cidr)
    if network is None or network.version != 4:
        return "Only networks with IPv4 addresses give out fixed ones."
    try:
        told = ipaddress.ip_address(address)
    except ValueError:
        return f"{address[:64]!r} is no IP address."
    if told not in network:
        return f"It must be one of {network}."
    if told in (network.network_address, network.broadcast_address):
        return "This is the address of the network itself."
    return ""


def _check_name(name: str, errors: _Faults) -> None:
    if not _NAME.fullmatch(name):
        errors.say(
            "name",
            "Use small letters, digits, dots and dashes, at most 63; begin and end with "
            "a letter or digit.",
        )


def _check_bridged(wish: Wish, ground: Ground, errors: _Faults) -> None:
    """It is on a bridge that is there, with what that is on."""
    if wish.cidr or wish.dhcp:
        errors.say(
            "cidr" if wish.cidr else "dhcp",
            "A bridge leads to a network that has addresses of its own; leave this empty.",
        )
    if not _DEVICE.fullmatch(wish.bridge):
        errors.say("bridge", "Name the bridge of the host, for example br0.")
        return
    for each in ground.networks:
        if each.own_bridge and each.bridge == wish.bridge:
            errors.say(
                "bridge", f"{wish.bridge} is the bridge of the network {each.name}."
            )
    if (
        wish.vlan is not None
    ):  # whether the bridge is there, its host says: it may be new
        kind = ground.interfaces.get(wish.bridge, "")
        _check_vlan(wish.vlan, wish.bridge, kind, errors)


def _check_vlan(vlan: int, bridge: str, kind: str, errors: _Faults) -> None:
    if vlan not in _VLANS:
        errors.say("vlan", "A VLAN has a number from 1 to 4094.")
    elif kind == "bridge":
        errors.say(
            "vlan",
            f"{bridge} is a plain Linux bridge, which cannot tag a VLAN for one network: "
            "use an Open vSwitch bridge, or a bridge on the VLAN's own interface "
            f"(eth0.{vlan}).",
        )


def _check_own_bridge(wish: Wish, ground: Ground, errors: _Faults) -> None:
    """Its bridge is made by libvirt, so nobody has that name yet."""
    if wish.vlan is not None:
        errors.say(
            "vlan",
            "Only a network on an Open vSwitch bridge can be a VLAN: choose the mode "
            "bridge.",
        )
    if not wish.bridge:
        return
    if not _DEVICE.fullmatch(wish.bridge):
        errors.say("bridge", "Use letters, digits, dots, dashes and _, at most 15.")
        return
    names = {each.bridge: each.name for each in ground.networks}
    if wish.bridge in names:
        errors.say(
            "bridge",
            f"{wish.bridge} is the bridge of the network {names[wish.bridge]}.",
        )
    elif wish.bridge in ground.interfaces:
        errors.say("bridge", f"The host has an interface {wish.bridge} already.")


def _own_address(wish: Wish, ground: Ground, errors: _Faults) -> Interface | None:
    """The host's own address in the network, and how wide that is; None for none."""
    text = wish.cidr.strip()
    if not text and wish.mode != "isolated":
        text = free_cidr(ground.networks)
    if not text:
        if wish.dhcp:
            errors.say("dhcp", "Give it a network first, for example 10.1.2.0/24.")
        return None
    sentence = _why_not(text)
    if sentence:
        errors.say("cidr", sentence)
        return None
    said = ipaddress.ip_interface(text)
    network = said.network
    for each in ground.networks:
        other = _network(each.cidr)
        if other and other.version == network.version and other.overlaps(network):
            errors.say(
                "cidr", f"{network} overlaps {each.cidr} of the network {each.name}."
            )
            return None
    first = said.ip if said.ip != network.network_address else network[1]
    return ipaddress.ip_interface(f"{first}/{network.prefixlen}")


def _why_not(text: str) -> str:
    try:
        said = ipaddress.ip_interface(text)
    except ValueError:
        return f"{text[:64]!r} is no network; write one like 10.1.2.0/24."
    network = said.network
    widths = _WIDTHS[said.version]
    if "%" in text or "/" not in text or network.prefixlen not in widths:
        return f"Say how wide it is: from /{widths[0]} to /{widths[-1]}."
    special = (
        network.is_loopback
        or network.is_multicast
        or network.is_link_local
        or network.is_unspecified
        or (said.version == 4 and network.is_reserved)
    )
    if special:
        return f"{network} is no network that guests could have addresses of."
    if said.ip == network.broadcast_address and said.version == 4:
        return f"{said.ip} is the broadcast address of {network}."
    return ""


def _range(wish: Wish, own: Interface | None, errors: _Faults) -> DhcpRange | None:
    if own is None or wish.dhcp is False:
        return None
    if not isinstance(wish.dhcp, DhcpRange):
        return _usual_range(own)
    try:
        start = ipaddress.ip_address(wish.dhcp.start.strip())
        end = ipaddress.ip_address(wish.dhcp.end.strip())
    except ValueError:
        errors.say("dhcp", "A range has a first and a last IP address.")
        return None
    network = own.network
    if start not in network or end not in network:
        errors.say("dhcp", f"Both ends must be addresses of {network}.")
    elif not 0 <= int(end) - int(start) < _LARGEST_RANGE:
        errors.say("dhcp", f"A range goes upwards and has at most {_LARGEST_RANGE}.")
    elif start == network.network_address or (
        end == network.broadcast_address and network.version == 4
    ):
        errors.say("dhcp", "The first and the last address of a network are its own.")
    elif int(start) <= int(own.ip) <= int(end):
        errors.say("dhcp", f"{own.ip} is the host's own address: leave it out.")
    return DhcpRange(str(start), str(end))


def _usual_range(own: Interface) -> DhcpRange | None:
    """The longer side of the host's own address, or its first thousand; None when empty."""
    first = int(own.network.network_address) + 1
    last = int(own.network.broadcast_address) - (1 if own.version == 4 else 0)
    below, above = (first, int(own.ip) - 1), (int(own.ip) + 1, last)
    start, end = max(below, above, key=lambda side: side[1] - side[0])
    if end < start:
        return None
    kind = type(own.ip)
    return DhcpRange(str(kind(start)), str(kind(min(end, start + _USUAL_RANGE - 1))))


def _network(cidr: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_interface(cidr).network if cidr else None
    except ValueError:
        return None
