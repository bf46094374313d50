"""What a move cost is measured, kept beside what was foretold, and handed on."""

import time
from collections.abc import Callable

import pytest

from deploy.lab import Lab
from deploy.lab_host import LabHost, command
from deploy.product import Product
from guests.proof.watching import watch
from tests.scene import ended

pytestmark = pytest.mark.lab
Mover = Callable[..., str]


@pytest.fixture
def reached(lab3: Lab) -> str:
    """The address of something that can be made to stand still: a host's own."""
    return lab3.hosts[2].address


def _link(lab: Lab, host: LabHost, way: str) -> None:
    command("ip", "link", "set", f"{lab.prefix}v{host.number}", way)


def test_a_client_sees_how_long_an_address_is_silent(lab3: Lab, reached: str) -> None:
    host = lab3.hosts[2]
    with watch(reached) as seen:
        time.sleep(0.8)
        _link(lab3, host, "down")
        begun = time.monotonic()
        time.sleep(0.4)
        _link(lab3, host, "up")
        silent_ms = (time.monotonic() - begun) * 1000
        time.sleep(1.2)

    assert seen.means in {"icmp", "arp"}
    assert seen.longest_gap_ms is not None
    assert 300 < seen.longest_gap_ms < silent_ms + 1500


def test_a_move_is_measured_and_reported(
    lab3: Lab, moving_product: Product, mover: Mover
) -> None:
    uuid = mover("proved")
    target = next(
        each["id"]
        for each in moving_product.call("GET", "hosts/").body["items"]
        if each["name"] == lab3.hosts[1].name
    )
    said = moving_product.call("POST", f"guests/{uuid}/migrate/", {"host": target})
    assert said.status == 202, said.body
    done = ended(moving_product, said.body["id"], 90)
    assert done["state"] == "succeeded", done

    found = moving_product.call("GET", f"moves/?guest={uuid}").body["items"]
    assert len(found) == 1
    move = found[0]
    assert move["outcome"] == "succeeded"
    assert move["downtime_ms"] == done["result"]["downtime_ms"]
    assert move["downtime_ms"] > 0
    assert move["seconds"] * 1000 == pytest.approx(done["result"]["total_ms"])
    assert move["predicted_seconds"] > 0
    assert move["source_name"] == lab3.hosts[0].name

    report = moving_product.call("GET", "moves/report/").body
    assert move["operation"] in {each["operation"] for each in report["moves"]}
    way = f"moves/from/{move['source']}/to/{move['target']}/"
    series = moving_product.call("GET", way).body
    assert move["seconds"] in series["series"]["seconds"]
