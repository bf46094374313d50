"""Each of our processes is killed in turn: it comes back, and nothing is lost."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest

from deploy.lab import Lab
from deploy.product import Product
from tests import scene
from tests.waiting import until

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("invariants")]


@pytest.fixture
def off(product: Product, lab: Lab) -> UUID:
    """A guest that is switched off, on the first host."""
    host = lab.hosts[0]
    name = f"off-{uuid4().hex[:6]}"
    uuid = host.define_demo(name, 32, running=False, network="")
    scene.seen(product, uuid, "shutoff")
    yield uuid
    if str(uuid) in host.virsh("list", "--uuid"):
        host.virsh("destroy", name)
    host.virsh("undefine", name)
    scene.seen(product, uuid, "gone", 30)


def kill(product: Product, word: str) -> None:
    """Kill every process of the product with this word in its command."""
    pids = product.pids(word)
    assert pids, f"No process named {word} runs."
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize(
    "word", ["uvicorn", "celery", "watcher", "console", "redis-server"]
)
def test_a_killed_process_comes_back_and_guests_still_start(
    product: Product, off: UUID, word: str
) -> None:
    kill(product, word)
    until(lambda: product.pids(word), 20)
    product.wait_until_ready()
    said = scene.ask(product, off, "start")
    assert said.status == 202, said.body
    assert scene.ended(product, said.body["id"])["state"] == "succeeded"
    scene.seen(product, off, "running")


def test_a_worker_killed_in_mid_operation_leaves_it_owned_again(
    product: Product, off: UUID
) -> None:
    scene.ended(product, scene.ask(product, off, "start").body["id"])
    scene.seen(product, off, "running")
    said = scene.ask(product, off, "shutdown")  # this guest is too small to listen
    path = f"operations/{said.body['id']}/"
    begun = "was asked to shut down"
    until(lambda: begun in str(product.call("GET", path).body["log"]), 20)
    kill(product, "celery")
    until(lambda: "worker ended" in str(product.call("GET", path).body["log"]), 60)
    assert product.call("POST", f"{path}cancel/").status in {200, 202}
    assert scene.ended(product, said.body["id"])["state"] == "cancelled"
    assert scene.state(product, off) == "running"


def test_redis_killed_with_an_operation_queued_loses_nothing(
    product: Product, off: UUID
) -> None:
    kill(product, "redis-server")
    said = scene.ask(product, off, "start")
    assert said.status == 202, said.body
    assert scene.ended(product, said.body["id"], 60)["state"] == "succeeded"


def test_a_hung_redis_delays_but_loses_nothing(product: Product, off: UUID) -> None:
    (pid,) = product.pids("redis-server")
    os.kill(pid, signal.SIGSTOP)
    try:
        assert scene.slowest_answer(product, "guests/", 5) < scene.PAGE_LIMIT_S
        said = scene.ask(product, off, "start")
        assert said.status == 202, said.body
    finally:
        os.kill(pid, signal.SIGCONT)
    assert scene.ended(product, said.body["id"], 60)["state"] == "succeeded"


def test_the_same_key_twenty_times_is_one_operation(
    product: Product, off: UUID
) -> None:
    key = {"Idempotency-Key": uuid4().hex}
    with ThreadPoolExecutor(20) as pool:
        said = list(
            pool.map(lambda _: scene.ask(product, off, "start", **key), range(20))
        )
    answered = [each for each in said if each.status == 202]
    assert answered
    assert {each.status for each in said} <= {202, 409}
    assert len({each.body["id"] for each in answered}) == 1
    assert scene.ended(product, answered[0].body["id"])["state"] == "succeeded"


def test_of_two_admins_one_is_told_what_the_other_does(
    product: Product, off: UUID
) -> None:
    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(lambda _: scene.ask(product, off, "start"), range(2)))
    assert sorted(each.status for each in said) == [202, 409]
    won, lost = sorted(said, key=lambda each: each.status)
    assert won.body["id"] in str(lost.body)
    scene.ended(product, won.body["id"])
