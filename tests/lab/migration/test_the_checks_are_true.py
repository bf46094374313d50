"""What is said before a move is what the two hosts say: shared, copied, not possible."""

from typing import Any

import pytest

from deploy.lab import Lab
from deploy.lab_host import LabHost
from deploy.product import Product
from tests.lab.migration.conftest import Mover
from tests.scene import ended
from tests.waiting import until

pytestmark = pytest.mark.lab


def _checks(product: Product, uuid: str) -> dict[str, dict[str, Any]]:
    said = product.call("GET", f"guests/{uuid}/migration-check/")
    assert said.status == 200, said.body
    return {each["host_name"]: each for each in said.body["hosts"]}


def _asked(product: Product, uuid: str) -> dict[str, Any]:
    """Both hosts of each pair were asked; the operation as it ended."""
    said = product.call("POST", f"guests/{uuid}/migration-check/", {})
    assert said.status == 202, said.body
    operation = ended(product, said.body["id"])
    assert operation["state"] == "succeeded", operation
    return operation


def _codes(check: dict[str, Any], kind: str = "reasons") -> set[str]:
    return {each["code"] for each in check[kind]}


def _sentinels(lab: Lab) -> list[str]:
    listed = [
        host.virsh("vol-list", pool)
        for host in lab.hosts
        for pool in ("default", "shared")
    ]
    return [text for text in listed if "kvmweb-sentinel" in text]


@pytest.fixture
def second(lab3: Lab) -> LabHost:
    """The host that a guest could go to."""
    return lab3.hosts[1]


def test_storage_counts_as_shared_once_a_sentinel_was_seen(
    lab3: Lab, moving_product: Product, mover: Mover, second: LabHost
) -> None:
    uuid = mover("onshared", shared_mib=8)
    _asked(moving_product, uuid)
    check = _checks(moving_product, uuid)[second.name]
    assert (check["ok"], check["storage"], check["reasons"]) == (True, "shared", [])
    assert check["asked_at"]
    assert not _sentinels(lab3)


def test_storage_of_one_path_that_is_not_shared_is_copied(
    lab3: Lab, moving_product: Product, mover: Mover, second: LabHost
) -> None:
    uuid = mover("onown", own_mib=8)
    until(lambda: second.name in _checks(moving_product, uuid))
    assert _codes(_checks(moving_product, uuid)[second.name], "notes") <= {"not_proved"}
    _asked(moving_product, uuid)
    check = _checks(moving_product, uuid)[second.name]
    assert (check["ok"], check["storage"], check["notes"]) == (True, "copy", [])
    assert check["estimate"]["bytes"] > 0
    assert not _sentinels(lab3)


def test_a_network_that_is_stopped_there_is_a_reason_until_it_runs_again(
    moving_product: Product, mover: Mover, lab3: Lab, second: LabHost
) -> None:
    uuid = mover("onnet", running=False)
    words = ("--type", "network", "--source", "default", "--config")
    lab3.hosts[0].virsh("attach-interface", uuid, *words)
    second.virsh("net-destroy", "default")
    try:
        until(
            lambda: (
                _codes(_checks(moving_product, uuid)[second.name])
                == {"network_inactive"}
            ),
            20,
        )
    finally:
        second.virsh("net-start", "default")
    until(lambda: _checks(moving_product, uuid)[second.name]["ok"], 20)


def test_a_guest_under_the_same_uuid_over_there_is_found_by_asking(
    moving_product: Product, mover: Mover, lab3: Lab, second: LabHost
) -> None:
    uuid = mover("ontwo", running=False)
    xml = lab3.hosts[0].virsh("dumpxml", uuid)
    path = lab3.directory / "twin.xml"
    path.write_text(xml)
    second.virsh("define", str(path))
    try:
        operation = _asked(moving_product, uuid)
    finally:
        second.virsh("undefine", uuid)
        path.unlink()
    line = next(
        each
        for each in operation["result"]["hosts"]
        if each["host_name"] == second.name
    )
    assert not line["ok"]
    assert any("same UUID" in reason for reason in line["reasons"])


def test_how_fast_a_guest_changes_its_memory_is_measured(
    moving_product: Product, mover: Mover, second: LabHost
) -> None:
    uuid = mover("onpace", memory_mib=64)
    before = _checks(moving_product, uuid)[second.name]["estimate"]["why"]
    assert "not measured yet" in before
    _asked(moving_product, uuid)
    why = _checks(moving_product, uuid)[second.name]["estimate"]["why"]
    assert "changes its memory is not measured" not in why
