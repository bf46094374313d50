"""What virsh does is in the rows within a second; what it did while nobody looked, after."""

import os
import signal
import time
from uuid import UUID

import pytest

from deploy.lab import Lab
from deploy.lab_host import LabHost
from deploy.product import Product
from tests import scene
from tests.waiting import until

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("invariants")]

SOON_S = 15.0  # the goal is one second; a busy machine gets more


@pytest.fixture
def host(lab: Lab) -> LabHost:
    """The host on which things happen."""
    return lab.hosts[0]


def _remove(host: LabHost, uuid: UUID) -> None:
    if str(uuid) in host.virsh("list", "--uuid"):
        host.virsh("destroy", str(uuid))
    if str(uuid) in host.virsh("list", "--all", "--uuid"):
        host.virsh("undefine", str(uuid), "--snapshots-metadata")


def test_a_whole_life_by_virsh_is_seen_as_it_happens(
    product: Product, host: LabHost
) -> None:
    uuid = host.define_demo("lived", 32, running=False, network="", disk_mib=8)
    try:
        scene.seen(product, uuid, "shutoff", SOON_S)
        host.virsh("start", "lived")
        scene.seen(product, uuid, "running", SOON_S)
        host.virsh("suspend", "lived")
        scene.seen(product, uuid, "paused", SOON_S)
        host.virsh("snapshot-create-as", "lived", "one")
        until(lambda: scene.guest(product, uuid)["snapshots"], SOON_S)
        host.virsh("destroy", "lived")
        scene.seen(product, uuid, "shutoff", SOON_S)
        host.virsh("snapshot-delete", "lived", "one")
        host.virsh("domrename", "lived", "lived-again")
        until(lambda: scene.guest(product, uuid)["name"] == "lived-again", SOON_S)
        host.virsh("desc", "lived-again", "--config", "edited outside")
        until(
            lambda: scene.guest(product, uuid)["description"] == "edited outside",
            SOON_S,
        )
    finally:
        _remove(host, uuid)
    scene.seen(product, uuid, "gone", SOON_S)


def test_a_gone_guest_comes_back_with_its_owner_tags_and_history(
    product: Product, host: LabHost
) -> None:
    uuid = host.define_demo("comes-back", 32, running=False, network="")
    scene.seen(product, uuid, "shutoff")
    document = host.virsh("dumpxml", "comes-back")
    said = product.call(
        "PATCH", f"guests/{uuid}/", {"tags": ["kept"], "owner": "admin"}
    )
    assert said.status in {200, 202}, said.body
    until(lambda: scene.guest(product, uuid)["active_operation"] is None)
    host.virsh("undefine", "comes-back")
    scene.seen(product, uuid, "gone")
    path = host.root / "comes-back.xml"
    path.write_text(document)
    host.virsh("define", str(path))
    scene.seen(product, uuid, "shutoff")
    back = scene.guest(product, uuid)
    assert (back["tags"], back["owner"]) == (["kept"], "admin")
    _remove(host, uuid)


def test_a_new_uuid_under_an_old_name_is_a_new_guest_without_owner(
    product: Product, host: LabHost
) -> None:
    old = host.define_demo("same-name", 32, running=False, network="")
    scene.seen(product, old, "shutoff")
    product.call("PATCH", f"guests/{old}/", {"owner": "admin", "tags": ["old"]})
    until(lambda: scene.guest(product, old)["active_operation"] is None)
    host.virsh("undefine", "same-name")
    new = host.define_demo("same-name", 32, running=False, network="")
    scene.seen(product, new, "shutoff")
    assert new != old
    assert (scene.guest(product, new)["owner"], scene.guest(product, new)["tags"]) == (
        None,
        [],
    )
    scene.seen(product, old, "gone")
    _remove(host, new)


def test_what_happened_while_no_watcher_ran_is_found_after(
    product: Product, host: LabHost
) -> None:
    stays = host.define_demo("stays", 32, running=False, network="")
    goes = host.define_demo("goes", 32, running=False, network="")
    scene.seen(product, goes, "shutoff")
    watchers = product.pids("watcher")
    for pid in watchers:
        os.kill(pid, signal.SIGSTOP)
    try:
        host.virsh("start", "stays")
        host.virsh("undefine", "goes")
        comes = host.define_demo("comes", 32, running=False, network="")
        time.sleep(5)
    finally:
        for pid in watchers:
            os.kill(pid, signal.SIGCONT)
    scene.seen(product, stays, "running", 30)
    scene.seen(product, goes, "gone", 30)
    scene.seen(product, comes, "shutoff", 30)
    _remove(host, stays)
    _remove(host, comes)


def test_one_uuid_on_two_hosts_is_a_conflict_and_nothing_is_lost(
    product: Product, lab: Lab
) -> None:
    one, two = lab.hosts
    uuid = one.define_demo("twice", 32, running=False, network="")
    scene.seen(product, uuid, "shutoff")
    path = two.root / "twice.xml"
    path.write_text(one.virsh("dumpxml", "twice"))
    two.virsh("define", str(path))
    until(lambda: scene.guest(product, uuid)["conflict"], 10)
    refused = scene.ask(product, uuid, "start")
    assert refused.status == 409
    assert one.name in refused.body["detail"]
    assert two.name in refused.body["detail"]
    two.virsh("undefine", "twice")
    until(lambda: not scene.guest(product, uuid)["conflict"], 10)
    assert scene.guest(product, uuid)["host_name"] == one.name
    _remove(one, uuid)
