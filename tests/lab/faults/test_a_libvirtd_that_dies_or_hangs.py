"""One host's libvirtd is killed or stops answering: the rest goes on."""

from collections.abc import Iterator
from uuid import UUID

import pytest

from deploy.lab import Lab
from deploy.product import Product
from tests import scene
from tests.invariants import Invariants
from tests.waiting import until

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("invariants")]


@pytest.fixture
def pair(product: Product, lab: Lab) -> Iterator[tuple[UUID, UUID]]:
    """A stopped guest on each host."""
    uuids = [
        host.define_demo("pair", 32, running=False, network="") for host in lab.hosts
    ]
    for uuid in uuids:
        scene.seen(product, uuid, "shutoff")
    yield uuids[0], uuids[1]
    until(lambda: not scene.active(product), 120)
    for host in lab.hosts:
        if "pair" in host.virsh("list", "--name"):
            host.virsh("destroy", "pair")
        host.virsh("undefine", "pair")


def test_a_killed_libvirtd_is_down_in_seconds_and_back_after(
    product: Product, lab: Lab
) -> None:
    host = lab.hosts[0]
    host.kill_libvirtd()
    try:
        until(lambda: scene.states_of_hosts(product)[host.name] == "down", 5)
    finally:
        host.start_libvirtd()
    until(lambda: scene.states_of_hosts(product)[host.name] == "up", 15)


def test_a_hung_libvirtd_costs_pages_and_other_hosts_nothing(
    product: Product, lab: Lab, pair: tuple[UUID, UUID]
) -> None:
    hung, _ = lab.hosts
    stuck, elsewhere = pair
    hung.pause_libvirtd()
    try:
        scene.ask(product, stuck, "start")  # must not hold up the other
        begun = scene.ask(product, elsewhere, "start")
        assert begun.status == 202, begun.body
        scene.seen(product, elsewhere, "running", 5)
        assert scene.slowest_answer(product, "guests/", 10) < 1
    finally:
        hung.resume_libvirtd()
    until(lambda: scene.states_of_hosts(product)[hung.name] == "up", 20)


def test_a_hung_host_is_down_its_guests_unknown_and_commands_refused(
    product: Product, lab: Lab, pair: tuple[UUID, UUID]
) -> None:
    hung, _ = lab.hosts
    stuck, _ = pair
    hung.pause_libvirtd()
    try:
        until(lambda: scene.states_of_hosts(product)[hung.name] == "down", 25)
        assert scene.state(product, stuck) == "unknown"
        refused = scene.ask(product, stuck, "start")
        assert refused.status == 409
        assert hung.name in refused.body["detail"]
    finally:
        hung.resume_libvirtd()
    until(lambda: scene.states_of_hosts(product)[hung.name] == "up", 20)
    scene.seen(product, stuck, "shutoff")


def test_a_host_that_hangs_while_being_opened_blocks_nobody(
    product: Product, lab: Lab
) -> None:
    hung = lab.hosts[0]
    hung.kill_libvirtd()
    hung.start_libvirtd()
    hung.pause_libvirtd()
    try:
        until(lambda: scene.states_of_hosts(product)[hung.name] == "down", 30)
        assert scene.slowest_answer(product, "hosts/", 5) < 1
        assert scene.states_of_hosts(product)[lab.hosts[1].name] == "up"
    finally:
        hung.resume_libvirtd()
    until(lambda: scene.states_of_hosts(product)[hung.name] == "up", 20)


def test_nothing_piles_up_while_it_hangs(
    product: Product, lab: Lab, invariants: Invariants
) -> None:
    hung = lab.hosts[0]
    before = len(product.pids())
    hung.pause_libvirtd()
    try:
        scene.slowest_answer(product, "guests/", 30)
        assert len(product.pids()) <= before + 4
    finally:
        hung.resume_libvirtd()
    until(lambda: scene.states_of_hosts(product)[hung.name] == "up", 20)
