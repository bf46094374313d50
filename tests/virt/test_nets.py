"""Networks made, changed and deleted on libvirt's test driver; its host is one a process."""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from kvmweb.errors import Conflict, NotFound
from kvmweb.virt import (
    capabilities,
    connection,
    filters,
    interfaces,
    nets,
    networks,
    nodedevs,
)
from kvmweb.virt.connection import Host
from kvmweb.virt.netplan import DhcpRange, NetworkPlan
from kvmweb.virt.types import Address, NetworkFacts, Transport

ID = UUID("5d1e4a1c-0c7c-4b0e-8d39-6f2b9ad7e0aa")
PLAN = NetworkPlan(
    name="lan1",
    mode="nat",
    address="10.9.0.1/24",
    dhcp=DhcpRange("10.9.0.10", "10.9.0.99"),
)
HOST_XML = """<node>
  <network><name>there</name><uuid>5d1e4a1c-0c7c-4b0e-8d39-6f2b9ad7e0bb</uuid>
    <forward mode='nat'><nat><port start='1024' end='2048'/></nat></forward>
    <bridge name='virbr5' stp='on' delay='0'/>
    <dns><host ip='10.8.0.9'><hostname>nine</hostname></host></dns>
    <ip address='10.8.0.1' netmask='255.255.255.0'>
      <dhcp><range start='10.8.0.2' end='10.8.0.9'/></dhcp></ip>
    <ip family='ipv6' address='fd00:8::1' prefix='64'/>
  </network>
  <domain type='test'><name>user</name><memory>1024</memory>
    <os><type>hvm</type></os>
    <devices><interface type='network'><source network='lan1'/></interface></devices>
  </domain>
</node>"""
THERE = UUID("5d1e4a1c-0c7c-4b0e-8d39-6f2b9ad7e0bb")


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """A host with one network, and a guest for another that is not there yet."""
    path = tmp_path / "host.xml"
    path.write_text(HOST_XML)
    address = Address(Transport.TEST, socket_path=str(path))
    with connection.connect(address) as connected:
        yield connected
    connection.close_all()


def seen(host: Host, uuid: UUID) -> NetworkFacts | None:
    """The network as the host says it; None when it does not know it."""
    return next((it for it in host.run(networks.look) if it.uuid == uuid), None)


def test_a_network_is_made_once_however_often_it_is_asked_for(host: Host) -> None:
    for _ in range(2):
        host.run(nets.define, ID, PLAN)
        host.run(nets.start, ID)
    made = seen(host, ID)
    assert made is not None
    assert (made.name, made.mode, made.active) == ("lan1", "nat", True)
    assert (made.cidr, made.gateway) == ("10.9.0.0/24", "10.9.0.1")
    assert made.ranges == (PLAN.dhcp,)
    assert len(host.run(networks.look)) == 2


def test_a_name_that_is_taken_is_refused(host: Host) -> None:
    plan = NetworkPlan(name="there", mode="isolated")
    with pytest.raises(Conflict, match="network named there"):
        host.run(nets.define, ID, plan)


def test_it_is_neither_stopped_nor_deleted_under_a_guest(host: Host) -> None:
    host.run(nets.define, ID, PLAN)
    host.run(nets.start, ID)
    assert host.run(nets.users_of, ID) == ("user",)
    with pytest.raises(Conflict, match="used by user"):
        host.run(nets.delete, ID)
    with pytest.raises(Conflict, match="user would lose"):
        host.run(nets.stop, ID)
    host.run(nets.stop, ID, force=True)
    stopped = seen(host, ID)
    assert stopped is not None
    assert not stopped.active


def test_what_is_gone_is_deleted_again_without_complaint(host: Host) -> None:
    for _ in range(2):
        host.run(nets.delete, THERE)
    assert seen(host, THERE) is None
    with pytest.raises(NotFound):
        host.run(nets.start, THERE)


def test_a_change_touches_nothing_that_it_is_not_about(host: Host) -> None:
    host.run(nets.stop, THERE)
    plan = NetworkPlan(
        name="there",
        mode="route",
        address="10.8.1.1/24",
        dhcp=DhcpRange("10.8.1.2", "10.8.1.9"),
    )
    assert host.run(nets.change, THERE, plan)
    text = host.run(_document, THERE)
    assert "<port" not in text
    for kept in ("nine", "fd00:8::1", "virbr5"):
        assert kept in text
    changed = seen(host, THERE)
    assert changed is not None
    assert (changed.mode, changed.cidr) == ("route", "10.8.1.0/24")
    assert changed.ranges == (plan.dhcp,)


def _document(conn: "object", uuid: UUID) -> str:
    network = conn.networkLookupByUUIDString(str(uuid))  # type: ignore[attr-defined]
    return str(network.XMLDesc(0))


def test_a_host_that_cannot_say_what_is_around_it_says_nothing(host: Host) -> None:
    told = host.run(capabilities.look)
    assert (told.virt_type, told.machines, told.pool_types) == ("", (), ())
    assert not told.tpm
    assert host.run(filters.look) == ()
    assert all(each.kind in {"usb", "pci"} for each in host.run(nodedevs.look))
    assert host.run(interfaces.look) == ()
