"""What breaks in the middle and does not mend at once: told truly, and settled later."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest

from deploy.lab import Lab
from deploy.product import Product
from tests.lab.migration.ground import ask_move, cut_off, homes
from tests.lab.shell import Shell
from tests.scene import active, ended, guest, states_of_hosts
from tests.waiting import until

pytestmark = pytest.mark.lab
Mover = Callable[..., str]
_WRITES = (  # 24 MiB of memory again and again
    "while :; do dd if=/dev/urandom of=/dev/shm/x bs=1M count=24; done "
    ">/dev/null 2>&1 & true"
)


@pytest.fixture(autouse=True)
def whole(lab3: Lab, moving_product: Product) -> Iterator[None]:
    """Before and after each test all hosts are up and nothing is under way."""
    yield
    up = {host.name: "up" for host in lab3.hosts}
    until(lambda: states_of_hosts(moving_product) == up, 40)
    until(lambda: not active(moving_product), 60)


def test_the_link_is_cut_in_post_copy_and_comes_back(
    lab3: Lab, moving_product: Product, mover: Mover
) -> None:
    here, there, _ = lab3.hosts
    uuid = mover("halved", memory_mib=96, shared_mib=8)
    with Shell(here, UUID(uuid)) as shell:
        shell.booted()
        shell.say("echo kept > /dev/shm/word; " + _WRITES)
    wish = {"policy": "post-copy", "bandwidth_mib_s": 8}
    operation = ask_move(moving_product, uuid, there, **wish).body["id"]
    until(lambda: "goes on at its target" in _log(moving_product, operation), 60, 0.05)
    mend = cut_off(lab3, there)
    try:
        until(lambda: _reason(here, uuid) == "paused (post-copy failed)", 60)
        assert _reason(there, uuid).startswith("running (post-copy")
    finally:
        mend()
    end = ended(moving_product, operation, 110)
    assert end["state"] == "succeeded", (end["message"], end["log"])
    assert homes(lab3, uuid) == {there.name: "running"}
    until(lambda: guest(moving_product, uuid)["host_name"] == there.name, 20)
    assert guest(moving_product, uuid)["persistent"]
    assert "Nothing of its memory has come" in _log(moving_product, operation)
    with Shell(there, UUID(uuid)) as shell:
        shell.booted()
        assert "kept" in shell.say("cat /dev/shm/word")


def _log(product: Product, operation: str) -> str:
    told: dict[str, Any] = product.call("GET", f"operations/{operation}/").body
    assert told["state"] in {"queued", "running", "succeeded"}, told
    return " ".join(line["message"] for line in told["log"])


def _reason(host: Any, uuid: str) -> str:
    return str(host.virsh("domstate", "--reason", uuid))
