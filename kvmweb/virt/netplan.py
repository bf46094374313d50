"""What a network is wished to be, as frozen values; see `nets` for what makes it so."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DhcpRange:
    """Addresses that a network gives out, both ends among them."""

    start: str
    end: str


@dataclass(frozen=True, slots=True)
class FixedLease:
    """One network card that always gets the same address."""

    mac: str
    address: str
    name: str


@dataclass(frozen=True, slots=True)
class NetworkPlan:
    """A network as it is to be; checked before it comes here."""

    name: str
    mode: str  # nat, route, open, isolated, bridge
    bridge: str = ""  # "": libvirt names one; mode bridge: the one that is there
    address: str = ""  # the host's own, with its width: "10.1.2.1/24"; "" for none
    dhcp: DhcpRange | None = None
    vlan: int | None = None  # only on an Open vSwitch bridge
