"""Networks of a host, odd ones too."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kvmweb.virt import connection, networks
from kvmweb.virt.connection import Host
from kvmweb.virt.types import Address, Transport

HOST_XML = Path(__file__).parents[1] / "data/virt/host.xml"


@pytest.fixture
def host() -> Iterator[Host]:
    """The host of the file."""
    address = Address(Transport.TEST, socket_path=str(HOST_XML))
    with connection.connect(address) as connected:
        yield connected


def test_networks_are_looked_at(host: Host) -> None:
    seen = [
        (each.name, each.mode, each.bridge, each.cidr, each.dhcp, each.problem)
        for each in host.run(networks.look)
    ]
    assert seen == [
        ("alone", "isolated", "virbr8", "", False, ""),
        ("lan", "bridge", "br0", "", False, ""),
        ("nat", "nat", "virbr7", "fd00:7::/64", True, ""),
    ]


def test_a_lease_is_read_whatever_the_host_says() -> None:
    lease = networks._lease(
        {
            "iface": "virbr0",
            "expirytime": 1700000000,
            "type": 0,
            "mac": "52:54:00:AA:BB:CC",
            "ipaddr": "10.9.8.2",
            "prefix": 24,
            "hostname": None,
        }
    )
    assert lease.mac == "52:54:00:aa:bb:cc"
    assert lease.hostname == ""
    assert lease.expires_at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert networks._lease({"expirytime": 0}).expires_at is None
    assert networks._lease({"expirytime": 2**62}).expires_at is None
