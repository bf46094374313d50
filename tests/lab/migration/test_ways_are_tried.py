"""A way that is closed is a reason before the move, not an error in the middle of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from deploy.lab import Lab
from deploy.lab_host import LabHost
from deploy.product import Product
from tests.lab.migration.conftest import Mover
from tests.lab.migration.ground import ask_move, host_ids
from tests.scene import ended

pytestmark = pytest.mark.lab
_NAME = "nobody-knows.invalid"


def test_a_closed_port_and_an_unknown_name_are_reasons_until_they_are_mended(
    lab3: Lab, moving_product: Product, mover: Mover
) -> None:
    there = lab3.hosts[2]
    uuid = mover("cautious", memory_mib=32)
    with _closed(there):
        (port,) = _reasons(moving_product, uuid, there)
        assert port["code"] == "port"
        assert there.address in port["message"]
        assert "49152" in port["fix"]
        said = ask_move(moving_product, uuid, there)
        assert said.status == 409 or "get through" in _end(moving_product, said.body)
    with _taking_guests_in_by(moving_product, there, _NAME):
        (name,) = _reasons(moving_product, uuid, there)
        assert (name["code"], _NAME in name["message"]) == ("name", True)
        assert "/etc/hosts" in name["fix"]
    assert _reasons(moving_product, uuid, there) == []
    for host in lab3.hosts:
        assert "kvmweb-canary" not in host.virsh("list", "--all", "--name")


def _reasons(product: Product, uuid: str, host: LabHost) -> list[dict[str, Any]]:
    """What speaks against it once both hosts were asked."""
    body = {"host": host_ids(product)[host.name]}
    said = product.call("POST", f"guests/{uuid}/migration-check/", body)
    assert said.status == 202, said.body
    assert ended(product, said.body["id"], 60)["state"] == "succeeded"
    where = f"guests/{uuid}/migration-check/?host={body['host']}"
    (check,) = product.call("GET", where).body["hosts"]
    return list(check["reasons"])


def _end(product: Product, operation: dict[str, Any]) -> str:
    end = ended(product, operation["id"], 60)
    assert end["state"] == "failed", end
    return str(end["message"])


@contextmanager
def _closed(host: LabHost) -> Iterator[None]:
    """Its firewall refuses what comes to the ports of migrations."""
    rule = ("INPUT", "-p", "tcp", "--dport", "49152:49215", "-j", "REJECT")
    host.run("iptables", "-I", *rule)
    try:
        yield
    finally:
        host.run("iptables", "-D", *rule)


@contextmanager
def _taking_guests_in_by(product: Product, host: LabHost, name: str) -> Iterator[None]:
    place = f"hosts/{host_ids(product)[host.name]}/"
    assert product.call("PATCH", place, {"migration_address": name}).status == 200
    try:
        yield
    finally:
        product.call("PATCH", place, {"migration_address": host.address})
