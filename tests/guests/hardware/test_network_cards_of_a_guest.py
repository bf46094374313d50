"""Network cards of a guest: added, led elsewhere, guarded, limited, taken out."""

from collections.abc import Callable
from typing import Any

from guests.models import Guest
from hosts.models import Network, NetworkFilter
from kvmweb.virt.xml.domain import Domain
from tests.guests.hardware.conftest import Bench

MAC = "52:54:00:00:00:02"


def config(bench: Bench, guest: Guest) -> Domain:
    """What the guest starts with next."""
    return Domain.parse(bench.documents(guest.pk).config)


def test_a_card_is_added(bench: Bench, off: Guest, ask: Callable[..., Any]) -> None:
    network = Network.objects.get(name="lab")
    wish = {"network": network.pk, "inbound_kib_s": 1024, "link_up": False}
    operation = bench.done(ask("POST", off, "nics/", wish))
    nic = config(bench, off).nics[1]
    assert (nic.network, nic.model, nic.link) == ("lab", "virtio", "down")
    assert nic.inbound
    assert nic.inbound.average == 1024
    assert nic.mac == operation.result["mac"]
    assert nic.mac.startswith("52:54:00:")


def test_a_card_leads_elsewhere_and_nothing_else_changes(
    bench: Bench, off: Guest, ask: Callable[..., Any]
) -> None:
    before = bench.documents(off.pk).config
    bench.done(ask("PATCH", off, f"nics/{MAC.upper()}/", {"network": "lab"}))
    after = bench.documents(off.pk).config
    assert after == before.replace("<source network='lan'/>", "<source network='lab'/>")


def test_link_filter_limit_and_model(
    bench: Bench, off: Guest, ask: Callable[..., Any]
) -> None:
    NetworkFilter.objects.create(host=bench.host, name="clean-traffic")
    wish = {"link_up": False, "filter": "clean-traffic", "outbound_kib_s": 64}
    bench.done(ask("PATCH", off, f"nics/{MAC}/", wish | {"model": "e1000e"}))
    [nic] = config(bench, off).nics
    assert (nic.link, nic.model) == ("down", "e1000e")
    assert nic.filterref
    assert nic.filterref.filter == "clean-traffic"
    assert nic.outbound
    assert nic.outbound.average == 64
    bench.done(ask("PATCH", off, f"nics/{MAC}/", {"filter": "", "outbound_kib_s": 0}))
    [nic] = config(bench, off).nics
    assert nic.filterref is None
    assert nic.outbound is None


def test_a_card_is_taken_out(bench: Bench, off: Guest, ask: Callable[..., Any]) -> None:
    bench.done(ask("DELETE", off, f"nics/{MAC}/"))
    assert len(config(bench, off).nics) == 0
    assert ask("DELETE", off, f"nics/{MAC}/").status_code == 404


def test_a_wish_that_cannot_be_is_refused(
    bench: Bench, off: Guest, web: Guest, ask: Callable[..., Any]
) -> None:
    for wish, field in (
        ({}, "network"),
        ({"network": "nowhere"}, "network"),
        ({"network": "lan", "bridge": "br0"}, "network"),
        ({"network": "lan", "mac": "01:00:00:00:00:01"}, "mac"),
        ({"network": "lan", "mac": web.nics[0]["mac"]}, "mac"),
        ({"network": "lan", "model": "ne2k"}, "model"),
        ({"network": "lan", "filter": "no-such"}, "filter"),
        ({"network": "lan", "inbound_kib_s": -1}, "inbound_kib_s"),
    ):
        said = ask("POST", off, "nics/", wish)
        assert said.status_code == 422, (wish, said.content)
        assert field in said.json()["errors"], (wish, said.content)


def test_an_operator_may_use_networks_but_not_bridges(
    bench: Bench, off: Guest, as_operator: Any
) -> None:
    address = f"/api/v1/guests/{off.pk}/nics/"
    said = as_operator.post(address, {"bridge": "br0"}, content_type="application/json")
    assert said.status_code == 403
    said = as_operator.post(
        address, {"network": "lan"}, content_type="application/json"
    )
    assert said.status_code == 202
