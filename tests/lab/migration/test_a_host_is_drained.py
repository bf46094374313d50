"""A real host is emptied as rehearsed, paused, cancelled, and gets its guests back."""

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from deploy.lab import Lab
from deploy.product import Product
from tests.lab.migration.ground import homes, host_ids
from tests.scene import ended, guest, seen
from tests.waiting import until

COUNT = 8
MEMORY_MIB = 16


@pytest.fixture
def eight(lab3: Lab, moving_product: Product) -> Iterator[list[str]]:
    """Eight guests on the first host, stopped at their first instruction."""
    first = lab3.hosts[0]
    made = [
        str(first.define_demo(f"drain-{n}", MEMORY_MIB, paused=True, network=""))
        for n in range(COUNT)
    ]
    for uuid in made:
        seen(moving_product, uuid, "paused", 30)
    yield made
    _forget(lab3, made)


@pytest.fixture
def rooted(lab3: Lab, moving_product: Product) -> Iterator[str]:
    """A guest on a network that only the first host has."""
    first = lab3.hosts[0]
    here = f"hosts/{host_ids(moving_product)[first.name]}/networks/"
    body = {"name": "only-here", "mode": "isolated"}
    ended(moving_product, moving_product.call("POST", here, body).body["id"])
    made = first.define_demo("rooted", MEMORY_MIB, paused=True, network="only-here")
    seen(moving_product, made, "paused", 30)
    yield str(made)
    _forget(lab3, [str(made)])
    first.virsh("net-destroy", "only-here")
    first.virsh("net-undefine", "only-here")


@pytest.fixture
def in_service(lab3: Lab, moving_product: Product) -> Iterator[None]:
    """Afterwards no host is in maintenance."""
    yield
    for host in lab3.hosts:
        _maintenance(moving_product, host.name, enabled=False)


@pytest.mark.usefixtures("in_service")
def test_it_is_emptied_as_rehearsed_and_its_guests_come_home(
    lab3: Lab, moving_product: Product, eight: list[str], rooted: str
) -> None:
    first = lab3.hosts[0]
    plan = _plan(moving_product, first.name)
    wanted = {it["guest"]: it["to_host_name"] for it in plan["moves"]}
    assert set(wanted) == set(eight)
    assert set(wanted.values()) == {host.name for host in lab3.hosts[1:]}
    (stuck,) = plan["stuck"]
    assert stuck["guest"] == rooted
    assert "no network only-here" in stuck["reasons"][0]["message"]
    said = _maintenance(moving_product, first.name, enabled=True, evacuate=True)
    operation = ended(moving_product, said["id"], 60)
    assert operation["state"] == "succeeded", operation
    assert operation["message"] == f"{first.name}: 8 moved. 1 left as chosen."
    assert len(operation["children"]) == COUNT
    for uuid, host in wanted.items():
        assert homes(lab3, uuid) == {host: "paused"}
        until(lambda u=uuid, h=host: guest(moving_product, u)["host_name"] == h, 10)
    assert homes(lab3, rooted) == {first.name: "paused"}
    _maintenance(moving_product, first.name, enabled=False)
    operation = ended(moving_product, _bring_home(moving_product, first.name), 60)
    assert operation["message"] == f"Back to {first.name}: 8 moved.", operation
    assert {str(homes(lab3, uuid)) for uuid in eight} == {str({first.name: "paused"})}


@pytest.mark.usefixtures("in_service")
def test_it_pauses_outlives_its_workers_and_stops_where_it_is(
    lab3: Lab, moving_product: Product, eight: list[str]
) -> None:
    first = lab3.hosts[0].name
    said = _maintenance(
        moving_product, first, enabled=True, evacuate=True, per_target=1
    )
    convoy = f"operations/{said['id']}/convoy/"
    moving_product.call("PATCH", convoy, {"paused": True})
    until(lambda: _count(moving_product, convoy, "running") == 0, 30)
    moved = _count(moving_product, convoy, "done")
    assert 0 < moved < COUNT
    assert _count(moving_product, convoy, "waiting") == COUNT - moved
    for pid in moving_product.pids("celery --quiet -A kvmweb worker"):
        os.kill(pid, signal.SIGKILL)  # the supervisor starts another one
    moving_product.call("PATCH", convoy, {"paused": False})
    until(lambda: _count(moving_product, convoy, "done") > moved, 60)
    moving_product.call("POST", f"{convoy}stop/", {"gently": True})
    operation = ended(moving_product, said["id"], 30)
    assert operation["state"] == "cancelled", operation
    went = {it["guest"]: it["to"] for it in operation["result"]["guests"]}
    assert set(went) == set(eight)
    assert list(went.values()).count(first) < COUNT - moved
    for uuid, host in went.items():
        assert homes(lab3, uuid) == {host: "paused"}


def _plan(product: Product, name: str) -> dict[str, Any]:
    host = host_ids(product)[name]
    return dict(product.call("GET", f"hosts/{host}/evacuation-plan/").body)


def _maintenance(product: Product, name: str, **body: Any) -> dict[str, Any]:
    host = host_ids(product)[name]
    said = product.call("POST", f"hosts/{host}/maintenance/", body)
    assert said.status == 202, said.body
    return dict(said.body)


def _bring_home(product: Product, name: str) -> str:
    host = host_ids(product)[name]
    said = product.call("POST", f"hosts/{host}/bring-home/", {})
    assert said.status == 202, said.body
    return str(said.body["id"])


def _count(product: Product, convoy: str, state: str) -> int:
    steps = product.call("GET", convoy).body["steps"]
    return sum(step["state"] == state for step in steps)


def _forget(lab: Lab, made: list[str]) -> None:
    """End them wherever they are."""
    for host in lab.hosts:
        there = set(host.virsh("list", "--all", "--uuid").split())
        for uuid in there & set(made):
            host.virsh("destroy", uuid)
            host.virsh("undefine", uuid)
