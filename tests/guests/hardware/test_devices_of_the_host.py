"""Devices of a host given to a guest and taken back."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from guests.models import Guest
from hosts.models import HostDevice
from kvmweb.virt.xml.domain import Domain
from tests.guests.hardware.conftest import OFF, Bench

PCI = "pci_0000_3b_00_0"
USB = "usb_1_2"


@pytest.fixture(autouse=True)
def devices(bench: Bench) -> None:
    """What the host has to give."""
    place = {"domain": 0, "bus": 0x3B, "slot": 0, "function": 0}
    HostDevice.objects.create(
        host=bench.host, name=PCI, kind="pci", vendor="ACME", address=place
    )
    HostDevice.objects.create(
        host=bench.host,
        name=USB,
        kind="usb",
        product="Dongle",
        vendor_id="0x1234",
        product_id="0x00ff",
        address={"bus": 1, "device": 2},
    )


def test_a_device_is_given_and_taken_back(
    bench: Bench, off: Guest, web: Guest, ask: Callable[..., Any]
) -> None:
    for name in (PCI, USB):
        operation = bench.done(ask("POST", off, "host-devices/", {"device": name}))
        assert "host device" in operation.message
    pci, usb = Domain.parse(bench.documents(OFF).config).hostdevs
    assert pci.address
    assert (pci.managed, pci.address.bus) == (True, "0x3b")
    assert (usb.vendor, usb.product) == ("0x1234", "0x00ff")
    told = {it["name"]: it for it in ask("GET", off, "host-devices/").json()}
    assert told[PCI]["given"]
    told = {it["name"]: it for it in ask("GET", web, "host-devices/").json()}
    assert (told[PCI]["given"], told[PCI]["users"]) == (False, ["off"])
    said = ask("POST", web, "host-devices/", {"device": PCI})
    assert said.status_code == 409
    assert "off" in said.json()["detail"]
    for name in (PCI, USB):
        bench.done(ask("DELETE", off, f"host-devices/{name}/"))
    assert not Domain.parse(bench.documents(OFF).config).hostdevs
    assert ask("DELETE", off, f"host-devices/{PCI}/").status_code == 404
    assert ask("POST", off, "host-devices/", {"device": "pci_no"}).status_code == 422


def test_it_is_given_by_the_page(
    bench: Bench, off: Guest, as_admin: Client, as_operator: Client
) -> None:
    address = f"{off.get_absolute_url()}host-devices/"
    assert as_operator.get(address).status_code == 403
    assert "ACME" in as_admin.get(address).content.decode()
    as_admin.post(address, {"device": USB, "verb": "give"})
    from tests.guests.hardware.test_pages_of_hardware import last

    last(bench)
    assert "Take back" in as_admin.get(address).content.decode()
