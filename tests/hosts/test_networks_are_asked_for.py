"""Networks by the API and the pages: what is asked for becomes an operation, or a sentence."""

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from guests import facts as guest_facts
from hosts.models import Host, HostDevice, Network, NetworkFilter
from hosts.watcher.recording import record
from kvmweb.operations.models import Operation
from kvmweb.virt.abilities import (
    HostCapabilities,
    InterfaceFacts,
    NodeDeviceFacts,
    PciPlace,
    Surroundings,
    UsbPlace,
)
from kvmweb.virt.types import SurroundingsSeen
from tests.guests.conftest import domain, nic
from tests.hosts.conftest import ME, look

CAPABILITIES = HostCapabilities(
    virt_type="kvm",
    pool_types=("dir", "logical"),
    machines=("q35",),
    cpu_models=("qemu64",),
    cpu_modes=("host-model",),
    host_cpu="EPYC",
    firmware=("bios", "uefi"),
    tpm=True,
    virtiofs=False,
    max_vcpus=288,
    hugepages=(2 * 2**20,),
    disk_buses=("virtio",),
    screens=("vnc",),
    videos=("virtio",),
)


def usb(name: str, place: UsbPlace | PciPlace, **about: Any) -> NodeDeviceFacts:
    """A device of a host."""
    plain: dict[str, Any] = {
        "kind": "usb",
        "vendor": "Maker",
        "product": "<b>Stick</b>",
        "vendor_id": "0x1234",
        "product_id": "0x0001",
        "driver": "",
        "iommu_group": None,
    }
    return NodeDeviceFacts(name=name, address=place, **plain | about)


@pytest.fixture
def kvm1(watched: Host) -> Host:
    """A host that is up, with the network default and a bridge."""
    around = Surroundings(CAPABILITIES, (), (), (InterfaceFacts("br0", "bridge"),))
    record(watched.pk, ME, [look(around=around)])
    watched.refresh_from_db()
    return watched


@pytest.fixture
def default(kvm1: Host) -> Network:
    """Its network."""
    row = Network.objects.get(host=kvm1)
    row.cidr, row.gateway = "192.168.122.0/24", "192.168.122.1"
    row.save()
    return row


def ask(browser: Client, path: str, body: dict[str, Any], method: str = "post") -> Any:
    """The answer of the API."""
    call = getattr(browser, method)
    return call(f"/api/v1/{path}", body, content_type="application/json")


def test_what_is_around_guests_becomes_rows_and_goes_again(
    kvm1: Host, as_operator: Client
) -> None:
    seen = Surroundings(
        CAPABILITIES,
        (
            usb("usb_1_1", UsbPlace(1, 4)),
            usb("pci_0", PciPlace(0, 1, 2, 3), kind="pci"),
        ),
        ("clean-traffic", "no-spoofing"),
        (InterfaceFacts("br0", "bridge"), InterfaceFacts("eth0", "ethernet")),
    )
    record(kvm1.pk, ME, [SurroundingsSeen(seen)])
    assert NetworkFilter.objects.count() == 2
    api = f"/api/v1/hosts/{kvm1.pk}"
    said = as_operator.get(f"{api}/capabilities/").json()
    assert said["firmware"] == ["bios", "uefi"]
    assert said["max_vcpus"] == 288
    assert said["interfaces"][0] == {"name": "br0", "kind": "bridge"}
    devices = as_operator.get(f"{api}/devices/").json()["items"]
    assert [each["address"] for each in devices] == [
        {"domain": 0, "bus": 1, "slot": 2, "function": 3},
        {"bus": 1, "device": 4},
    ]
    filters = as_operator.get(f"{api}/filters/?search=clean").json()["items"]
    assert [each["name"] for each in filters] == ["clean-traffic"]
    record(kvm1.pk, ME, [SurroundingsSeen(Surroundings(CAPABILITIES, (), ()))])
    assert not HostDevice.objects.exists()
    assert not NetworkFilter.objects.exists()


def test_a_network_becomes_an_operation_with_a_whole_plan(
    as_admin: Client, kvm1: Host
) -> None:
    body = {"name": "lab", "mode": "nat", "cidr": "10.5.0.0/24"}
    answer = ask(as_admin, f"hosts/{kvm1.pk}/networks/", body)
    assert answer.status_code == 202, answer.content
    operation = Operation.objects.get(pk=answer.json()["id"])
    assert (operation.kind, operation.host) == ("network.create", kvm1.pk)
    assert operation.params["plan"]["address"] == "10.5.0.1/24"
    assert operation.params["plan"]["dhcp"]["end"] == "10.5.0.254"
    again = ask(as_admin, f"hosts/{kvm1.pk}/networks/", body)
    assert again.status_code == 409
    body |= {"name": "other"}
    overlapping = ask(as_admin, f"hosts/{kvm1.pk}/networks/", body)
    assert overlapping.status_code == 422
    assert "lab" in overlapping.json()["errors"]["cidr"][0]


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"name": "default", "mode": "isolated"}, 409, ""),
        ({"name": "A", "mode": "isolated"}, 422, "name"),
        ({"name": "a", "mode": "magic"}, 422, "mode"),
        ({"name": "a", "mode": "bridge", "bridge": "br0", "vlan": 7}, 422, "vlan"),
        ({"name": "a", "mode": "bridge", "bridge": "-br"}, 422, "bridge"),
        ({"name": "a", "mode": "nat", "uri": "x"}, 422, "uri"),
    ],
)
def test_what_cannot_be_is_refused_at_its_field(
    as_admin: Client, kvm1: Host, body: dict[str, Any], status: int, field: str
) -> None:
    answer = ask(as_admin, f"hosts/{kvm1.pk}/networks/", body)
    assert answer.status_code == status, answer.content
    assert not field or field in answer.json()["errors"]
    assert not Operation.objects.exists()


def test_only_an_admin_changes_networks(as_operator: Client, default: Network) -> None:
    body = {"name": "lab", "mode": "isolated"}
    made = ask(as_operator, f"hosts/{default.host_id}/networks/", body)
    gone = as_operator.delete(f"/api/v1/networks/{default.pk}/")
    assert (made.status_code, gone.status_code) == (403, 403)
    page = as_operator.get(f"/networks/{default.pk}/")
    assert page.status_code == 200
    rail = page.content.decode().partition("</nav>")[0]
    assert '<a href="/hosts/" aria-current="page">' in rail
    assert b"Delete" not in as_operator.get(f"/networks/{default.pk}/").content


def test_a_network_that_a_guest_is_on_is_not_deleted(
    as_admin: Client, default: Network
) -> None:
    web = domain("web", nics=(nic(),))
    bare = domain("bare", nics=(nic(kind="bridge", network="virbr0"),))
    away = domain("away", nics=(nic(kind="bridge", network="default"),))
    for each in (web, bare, away):
        guest_facts.record_domain(default.host, each, "")
    answer = as_admin.delete(f"/api/v1/networks/{default.pk}/")
    assert answer.status_code == 409
    assert "used by bare, web." in answer.json()["detail"]
    page = as_admin.get(f"/networks/{default.pk}/delete/").content.decode()
    assert "used by bare, web." in page
    refused = as_admin.post(f"/networks/{default.pk}/delete/", {"name": "default"})
    assert refused.status_code == 422
    assert not Operation.objects.exists()
    for each in (web, bare):
        guest_facts.record_vanished(default.host, each.uuid, "undefined")
    assert as_admin.delete(f"/api/v1/networks/{default.pk}/").status_code == 202


def test_a_name_is_typed_before_a_network_goes(
    as_admin: Client, default: Network
) -> None:
    address = f"/networks/{default.pk}/delete/"
    wrong = as_admin.post(address, {"name": "defualt"})
    assert wrong.status_code == 422
    assert b"This is not its name" in wrong.content
    assert as_admin.post(address, {"name": "default"}).status_code == 302
    assert Operation.objects.get().kind == "network.delete"


def test_a_form_keeps_what_was_typed_and_says_what_is_wrong(
    as_admin: Client, kvm1: Host, default: Network
) -> None:
    address = f"/hosts/{kvm1.pk}/networks/new/"
    fresh = as_admin.get(address).content.decode()
    assert 'value="192.168.100.0/24"' in fresh
    assert '<option value="br0">' in fresh
    typed = {"name": "lab", "mode": "nat", "cidr": "192.168.122.0/25", "dhcp": "on"}
    answer = as_admin.post(address, typed)
    assert answer.status_code == 422
    page = answer.content.decode()
    assert "overlaps 192.168.122.0/24 of the network default" in page
    assert 'value="192.168.122.0/25"' in page
    typed["cidr"] = "10.6.0.0/24"
    assert as_admin.post(address, typed).status_code == 302
    plan = Operation.objects.get().params["plan"]
    assert plan["dhcp"] == {"start": "10.6.0.2", "end": "10.6.0.254"}


def test_an_edit_says_only_what_changes(as_admin: Client, default: Network) -> None:
    body = {"dhcp": {"start": "192.168.122.50", "end": "192.168.122.60"}}
    answer = ask(as_admin, f"networks/{default.pk}/", body, "patch")
    assert answer.status_code == 202, answer.content
    params = Operation.objects.get().params
    assert params["plan"]["dhcp"]["start"] == "192.168.122.50"
    assert params["plan"]["address"] == "192.168.122.1/24"
    assert params["autostart"] is None
    only = ask(as_admin, f"networks/{default.pk}/", {"autostart": False}, "patch")
    told = Operation.objects.get(pk=only.json()["id"]).params
    assert "plan" not in told
    for wrong in ({}, {"mode": "bridge", "bridge": "br0"}, {"cidr": "x"}):
        refused = ask(as_admin, f"networks/{default.pk}/", wrong, "patch")
        assert refused.status_code == 422, wrong


@pytest.mark.parametrize(("mode", "bridge"), [("hostdev", ""), ("bridge", "")])
def test_a_network_of_another_kind_keeps_its_kind(
    as_admin: Client, default: Network, mode: str, bridge: str
) -> None:
    Network.objects.update(mode=mode, bridge=bridge)
    path = f"networks/{default.pk}/"
    refused = ask(as_admin, path, {"mode": "nat"}, "patch")
    assert refused.status_code == 409
    assert mode in refused.json()["detail"]
    assert ask(as_admin, path, {"autostart": False}, "patch").status_code == 202
    typed = {"mode": "nat", "cidr": "10.7.0.0/24", "dhcp": "on"}
    page = as_admin.post(f"/{path}edit/", typed)
    assert page.status_code == 422


def test_an_address_is_fixed_and_freed(as_admin: Client, default: Network) -> None:
    leases = f"networks/{default.pk}/leases/"
    body = {"mac": "52:54:00:AA:00:01", "address": "192.168.122.9", "name": "web"}
    assert ask(as_admin, leases, body).status_code == 202
    lease = Operation.objects.get().params["lease"]
    assert lease["mac"] == "52:54:00:aa:00:01"
    for wrong in ({"address": "192.168.122.1"}, {"address": "10.0.0.1"}, {"mac": "x"}):
        assert ask(as_admin, leases, body | wrong).status_code == 422, wrong
    default.fixed = [lease]
    default.save()
    taken = ask(as_admin, leases, body | {"mac": "52:54:00:aa:00:02"})
    assert "already" in taken.json()["errors"]["address"][0]
    api = f"/api/v1/networks/{default.pk}/leases"
    assert as_admin.delete(f"{api}/52:54:00:aa:00:09/").status_code == 409
    assert as_admin.delete(f"{api}/52:54:00:AA:00:01/").status_code == 202


def test_a_page_shows_what_was_given_out(as_operator: Client, default: Network) -> None:
    default.leases = [
        {
            "mac": "52:54:00:00:00:07",
            "address": "192.168.122.77",
            "hostname": "<script>alert(1)</script>",
            "expires_at": "2026-01-02T03:04:05+00:00",
        }
    ]
    default.save()
    page = as_operator.get(f"/networks/{default.pk}/").content.decode()
    assert "192.168.122.77" in page
    assert "2026-01-02" in page
    assert "<script>alert" not in page
    assert as_operator.get(f"/hosts/{default.host_id}/").status_code == 200


def test_a_host_that_is_down_is_asked_for_nothing(
    as_admin: Client, default: Network
) -> None:
    Host.objects.filter(pk=default.host_id).update(state=Host.State.DOWN, error="Cut.")
    made = ask(
        as_admin,
        f"hosts/{default.host_id}/networks/",
        {"name": "x", "mode": "isolated"},
    )
    assert made.status_code == 409
    for action in ("start", "stop"):
        answer = ask(as_admin, f"networks/{default.pk}/{action}/", {})
        assert answer.status_code == 409
    assert (
        as_admin.delete(f"/api/v1/networks/{uuid4().int % 10**6}/").status_code == 404
    )
