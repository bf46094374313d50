"""One guest's QEMU is killed or hangs: it is told apart, and the others go on."""

import os
import signal

import pytest

from deploy.lab import Lab
from deploy.product import Product
from tests import scene
from tests.waiting import until

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("invariants")]

TWENTY = 20


def test_a_killed_qemu_is_crashed_and_not_off(product: Product, lab: Lab) -> None:
    host = lab.hosts[0]
    uuid = host.define_demo("killed", 32, network="")
    scene.seen(product, uuid, "running")
    os.kill(host.qemu_pid("killed"), signal.SIGKILL)
    scene.seen(product, uuid, "crashed", 5)
    assert scene.ask(product, uuid, "start").status == 202
    scene.seen(product, uuid, "running")
    host.virsh("destroy", "killed")
    scene.seen(product, uuid, "shutoff")
    host.virsh("undefine", "killed")
    scene.seen(product, uuid, "gone")


def test_a_hung_qemu_among_twenty_hides_only_itself(product: Product, lab: Lab) -> None:
    host = lab.hosts[1]
    names = [f"twenty-{number:02}" for number in range(TWENTY)]
    uuids = [
        host.define_demo(name, memory_mib=16, paused=True, network="") for name in names
    ]
    until(lambda: all(scene.state(product, u) == "paused" for u in uuids), 60)
    hung = host.qemu_pid(names[0])
    os.kill(hung, signal.SIGSTOP)
    try:
        until(lambda: _ages(product, uuids[1]) and _ages(product, uuids[1]) < 6, 30)
        host.virsh("resume", names[1])
        scene.seen(product, uuids[1], "running", 5)
        assert scene.states_of_hosts(product)[host.name] == "up"
        until(lambda: _ages(product, uuids[2]) < 6, 30)
    finally:
        os.kill(hung, signal.SIGCONT)
    for name in names:
        host.virsh("destroy", name)
        host.virsh("undefine", name)
    until(lambda: all(scene.state(product, u) == "gone" for u in uuids), 30)


def _ages(product: Product, uuid: object) -> float:
    """Seconds since the newest sample of this guest; large when there is none."""
    said = product.call("GET", f"guests/{uuid}/stats/?range=1h").body
    series = said["series"]["memory_bytes"]
    newest = [n for n, value in enumerate(reversed(series)) if value is not None]
    return newest[0] * said["step_seconds"] if newest else 10_000
