"""What is wished of a network is possible, or said why not; nothing reaches a host."""

import ipaddress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hosts.networks.wishes import (
    MODES,
    Ground,
    Neighbour,
    Wish,
    free_cidr,
    lease,
    planned,
)
from kvmweb.errors import Invalid
from kvmweb.virt.netplan import DhcpRange

GROUND = Ground(
    networks=[
        Neighbour("default", "virbr0", "192.168.122.0/24", own_bridge=True),
        Neighbour("six", "virbr6", "fd00:6::/64", own_bridge=True),
        Neighbour("lan", "br0", "", own_bridge=False),
    ],
    interfaces={"br0": "bridge", "ovs0": "ethernet", "virbr0": "bridge", "eth0": "x"},
)


def wish(**about: Any) -> Wish:
    """A NAT network."""
    return Wish(**{"name": "lan1", "mode": "nat", **about})


@pytest.mark.parametrize(
    ("about", "field", "words"),
    [
        ({"name": "-x"}, "name", "small letters"),
        ({"name": "A b"}, "name", "small letters"),
        ({"name": "a\nb"}, "name", "small letters"),
        ({"mode": "hostdev"}, "mode", "one of"),
        ({"cidr": "10.1.2.0"}, "cidr", "how wide"),
        ({"cidr": "10.0.0.0/31"}, "cidr", "how wide"),
        ({"cidr": "10.0.0.0/7"}, "cidr", "how wide"),
        ({"cidr": "fe80::1%eth0/64"}, "cidr", "how wide"),
        ({"cidr": "127.0.0.0/24"}, "cidr", "no network"),
        ({"cidr": "224.0.0.0/24"}, "cidr", "no network"),
        ({"cidr": "10.1.2.255/24"}, "cidr", "broadcast"),
        ({"cidr": "nonsense"}, "cidr", "no network"),
        ({"cidr": "192.168.0.0/16"}, "cidr", "overlaps"),
        ({"cidr": "192.168.122.128/25"}, "cidr", "default"),
        ({"cidr": "fd00:6::/48"}, "cidr", "overlaps"),
        ({"bridge": "virbr0"}, "bridge", "default"),
        ({"bridge": "eth0"}, "bridge", "already"),
        ({"bridge": "a/b"}, "bridge", "at most 15"),
        ({"bridge": "virbr%d"}, "bridge", "at most 15"),
        ({"vlan": 5}, "vlan", "Open vSwitch"),
        ({"mode": "bridge"}, "bridge", "Name the bridge"),
        ({"mode": "bridge", "bridge": "virbr0"}, "bridge", "default"),
        ({"mode": "bridge", "bridge": "br0", "cidr": "10.1.1.0/24"}, "cidr", "own"),
        ({"mode": "bridge", "bridge": "br0", "vlan": 5}, "vlan", "eth0.5"),
        ({"mode": "bridge", "bridge": "ovs0", "vlan": 4095}, "vlan", "4094"),
        ({"mode": "isolated", "dhcp": True}, "dhcp", "network first"),
    ],
)
def test_it_says_what_is_wrong_at_its_field(
    about: dict[str, Any], field: str, words: str
) -> None:
    with pytest.raises(Invalid) as refused:
        planned(wish(**about), GROUND)
    assert words in refused.value.errors[field][0]


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        ("10.1.2.9", "10.1.2.2", "upwards"),
        ("10.1.3.1", "10.1.3.2", "addresses of"),
        ("10.1.2.0", "10.1.2.9", "first and the last"),
        ("10.1.2.9", "10.1.2.255", "first and the last"),
        ("10.1.2.1", "10.1.2.9", "the host's own"),
        ("fd00::1", "fd00::2", "addresses of"),
        ("", "10.1.2.2", "first and a last"),
    ],
)
def test_a_range_is_within_its_network_and_without_the_host(
    start: str, end: str, words: str
) -> None:
    asked = wish(cidr="10.1.2.0/24", dhcp=DhcpRange(start, end))
    with pytest.raises(Invalid) as refused:
        planned(asked, GROUND)
    assert words in refused.value.errors["dhcp"][0]


def test_a_huge_range_is_refused() -> None:
    asked = wish(cidr="10.0.0.0/8", dhcp=DhcpRange("10.0.0.2", "10.200.0.0"))
    with pytest.raises(Invalid, match="at most 65535"):
        planned(asked, GROUND)


def test_what_was_not_said_is_chosen_well() -> None:
    plan = planned(wish(), GROUND)
    own = ipaddress.ip_interface(plan.address)
    assert own.ip == own.network[1]
    assert plan.dhcp == DhcpRange(str(own.network[2]), str(own.network[254]))
    assert planned(wish(mode="isolated"), GROUND).address == ""
    kept = planned(wish(cidr="10.1.2.254/24", dhcp=False), GROUND)
    assert (kept.address, kept.dhcp) == ("10.1.2.254/24", None)
    below = planned(wish(cidr="10.1.2.254/24"), GROUND)
    assert below.dhcp == DhcpRange("10.1.2.1", "10.1.2.253")
    wide = planned(wish(cidr="10.0.0.0/8"), GROUND)
    assert wide.dhcp == DhcpRange("10.0.0.2", "10.0.3.233")


def test_a_vlan_goes_on_an_open_vswitch_bridge() -> None:
    plan = planned(wish(mode="bridge", bridge="ovs0", vlan=100), GROUND)
    assert (plan.bridge, plan.vlan, plan.address, plan.dhcp) == ("ovs0", 100, "", None)


def test_free_networks_run_out_without_a_crash() -> None:
    every = [Neighbour("all", "", text, own_bridge=True) for text in ("0.0.0.0/0",)]
    assert free_cidr(every) == ""
    assert free_cidr([Neighbour("odd", "", "nonsense", own_bridge=True)])


@pytest.mark.parametrize(
    ("mac", "address", "name", "field"),
    [
        ("52:54:00:00:00", "10.1.2.9", "", "mac"),
        ("53:54:00:00:00:01", "10.1.2.9", "", "mac"),  # to many, not to one
        ("52:54:00:00:00:01", "10.1.3.9", "", "address"),
        ("52:54:00:00:00:01", "10.1.2.0", "", "address"),
        ("52:54:00:00:00:01", "x", "", "address"),
        ("52:54:00:00:00:01", "10.1.2.9", "a b", "name"),
    ],
)
def test_a_fixed_address_is_one_of_its_network(
    mac: str, address: str, name: str, field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        lease(mac, address, name, cidr="10.1.2.0/24")
    assert list(refused.value.errors) == [field]


def test_a_network_of_six_gives_out_no_fixed_address() -> None:
    with pytest.raises(Invalid, match="IPv4"):
        lease("52:54:00:00:00:01", "fd00::9", "", cidr="fd00::/64")


@given(
    mode=st.sampled_from(MODES),
    bridge=st.text(max_size=16),
    cidr=st.one_of(
        st.text(max_size=20),
        st.builds(
            "{}/{}".format, st.ip_addresses(), st.integers(min_value=0, max_value=128)
        ),
    ),
    dhcp=st.one_of(
        st.none(),
        st.booleans(),
        st.builds(DhcpRange, st.ip_addresses().map(str), st.text(max_size=9)),
    ),
    vlan=st.one_of(st.none(), st.integers()),
)
def test_anything_is_a_sound_plan_or_a_sentence(
    mode: str, bridge: str, cidr: str, dhcp: Any, vlan: int | None
) -> None:
    asked = wish(mode=mode, bridge=bridge, cidr=cidr, dhcp=dhcp, vlan=vlan)
    try:
        plan = planned(asked, GROUND)
    except Invalid:
        return
    if plan.dhcp:
        own = ipaddress.ip_interface(plan.address)
        ends = (plan.dhcp.start, plan.dhcp.end)
        first, last = (ipaddress.ip_address(each) for each in ends)
        assert first in own.network
        assert last in own.network
        assert not int(first) <= int(own.ip) <= int(last)
