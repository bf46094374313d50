"""A canary is moved round all hosts, says what it proved, and leaves nothing behind."""

import os
import signal
from typing import Any

import pytest

from deploy.lab import Lab
from deploy.product import Product
from tests.scene import ended
from tests.waiting import until

pytestmark = pytest.mark.lab


def _run(product: Product) -> str:
    said = product.call("POST", "canary/run/")
    assert said.status == 202, said.body
    return str(said.body["id"])


def _names(product: Product) -> set[str]:
    found = product.call("GET", "guests/?gone=yes&limit=500").body["items"]
    return {each["name"] for each in found}


def _left(lab: Lab) -> list[str]:
    """Everything of a canary that any host still has."""
    found = []
    for host in lab.hosts:
        found += host.virsh("list", "--all", "--name").split()
        for pool in ("default", "shared"):
            found += host.virsh("vol-list", pool).split()
    return [name for name in found if "canary" in name]


def _out(lab: Lab) -> list[str]:
    """Where one runs now."""
    return [host.name for host in lab.hosts if "canary" in host.virsh("list", "--name")]


def _ways(product: Product) -> list[dict[str, Any]]:
    return list(product.call("GET", "canary/").body["ways"])


def test_it_flies_every_way_and_no_list_ever_shows_it(
    lab3: Lab, moving_product: Product
) -> None:
    operation = _run(moving_product)
    until(lambda: _out(lab3), 60, why="No canary is out.")
    again = moving_product.call("POST", "canary/run/")
    shown = _names(moving_product)
    done = ended(moving_product, operation, 120)

    assert again.status == 409
    assert done["state"] == "succeeded", done
    assert done["result"] == {"flown": 6, "broken": 0}
    ways = _ways(moving_product)
    assert len(ways) == 6
    assert all(way["ok"] and way["seconds"] > 0 and way["at"] for way in ways), ways
    assert all(0 < way["downtime_ms"] < 5000 for way in ways), ways
    assert _left(lab3) == []
    assert not any("canary" in name for name in shown | _names(moving_product))


def test_one_that_is_stopped_on_its_way_leaves_nothing_either(
    lab3: Lab, moving_product: Product
) -> None:
    operation = _run(moving_product)
    until(lambda: _out(lab3), 60, why="No canary is out.")
    stopped = moving_product.call("POST", f"operations/{operation}/cancel/")
    done = ended(moving_product, operation, 60)

    assert stopped.status < 300, stopped.body
    assert done["state"] == "cancelled", done
    assert _left(lab3) == []


def test_a_killed_worker_s_round_is_flown_to_its_end_by_another(
    lab3: Lab, moving_product: Product
) -> None:
    operation = _run(moving_product)
    until(lambda: _out(lab3), 60, why="No canary is out.")
    killed_at = _out(lab3)
    for pid in moving_product.pids("celery"):
        os.kill(pid, signal.SIGKILL)
    done = ended(moving_product, operation, 120)

    assert killed_at
    assert done["state"] == "succeeded", done
    assert done["result"]["flown"] == 6
    assert done["result"]["broken"] == 0, _ways(moving_product)
    assert _left(lab3) == []
    assert not any("canary" in name for name in _names(moving_product))
