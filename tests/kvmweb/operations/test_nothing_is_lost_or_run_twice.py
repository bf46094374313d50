"""Workers die, Redis dies or hangs, messages come three times: each operation ends once."""

import signal
import time
from typing import Any

import pytest

from tests.kvmweb.operations.plant import Plant
from tests.waiting import until


def _ended_once(plant: Plant, pk: str, seconds: float = 20) -> dict[str, Any]:
    said = plant.ended(pk, seconds)
    assert said["audit"] == ["accepted", said["state"]], said
    return said


def test_a_worker_killed_in_the_middle(plant: Plant) -> None:
    first = plant.start_worker()
    pk = plant.submit("test.stubborn", params=plant.file("a", steps=30))
    late = plant.submit("test.late", params=plant.file("b"))  # kills the worker
    first.wait(20)
    plant.start_worker()
    assert _ended_once(plant, pk)["state"] == "succeeded"
    assert plant.marks("a") == ["begun", "recovered", "begun", "ended"]
    said = _ended_once(plant, late)
    assert said["state"] == "succeeded"
    assert plant.marks("b") == [
        "begun",
        "ended",
        "recovered",
    ]  # adopted, not done again
    assert any("what came true" in line for line in said["log"])


def test_what_nobody_can_recover_fails_and_says_so(plant: Plant) -> None:
    first = plant.start_worker()
    pk = plant.submit("test.blind", params=plant.file("a", steps=100))
    plant.running(pk)
    first.kill()
    plant.start_worker()
    said = _ended_once(plant, pk)
    assert said["state"] == "failed"
    assert "what came true is not known" in said["message"]
    assert plant.marks("a") == ["begun"]


def test_an_orphan_is_owned_again_within_a_minute(slow_plant: Plant) -> None:
    plant = slow_plant
    first = plant.start_worker()
    pk = plant.submit("test.stubborn", params=plant.file("a", steps=40))
    plant.running(pk)
    first.kill()
    plant.start_worker()
    waited = until(lambda: "recovered" in plant.marks("a"), 60)
    assert waited > 15, "It was taken over while its lease still held."
    assert _ended_once(plant, pk)["state"] == "succeeded"


def test_a_worker_that_was_stopped_and_lost_its_lease_writes_no_more(
    plant: Plant,
) -> None:
    sleepy = plant.start_worker()
    pk = plant.submit("test.steps", params=plant.file("a", steps=20))
    plant.running(pk)
    sleepy.send_signal(signal.SIGSTOP)
    plant.start_worker()
    until(lambda: "recovered" in plant.marks("a"), 15)
    sleepy.send_signal(signal.SIGCONT)
    said = _ended_once(plant, pk)
    assert said["attempts"] == 2
    until(lambda: "was taken over" in plant.log(), 10)
    assert _ended_once(plant, pk)["worker"] == said["worker"]


def test_redis_killed_with_operations_queued(plant: Plant) -> None:
    queued = [plant.submit("test.steps", params=plant.file(f"a{n}")) for n in range(5)]
    plant.kill_redis()
    more = plant.submit("test.steps", params=plant.file("a5"))
    plant.start_worker()
    for number, pk in enumerate([*queued, more]):
        assert _ended_once(plant, pk)["state"] == "succeeded"
        assert plant.marks(f"a{number}") == ["begun", "ended"]
    plant.start_redis()
    after = plant.submit("test.steps", params=plant.file("after"))
    assert _ended_once(plant, after)["state"] == "succeeded"


def test_redis_hung(plant: Plant) -> None:
    plant.start_worker()
    _ended_once(plant, plant.submit("test.steps", params=plant.file("warm")))
    plant.hang_redis()
    asked = [
        plant.ask("submit", kind="test.steps", params=plant.file(f"a{n}"))
        for n in range(5)
    ]
    assert max(each["took_s"] for each in asked) <= 2
    for each in asked:
        assert _ended_once(plant, each["id"], 10)["state"] == "succeeded"
    plant.wake_redis()
    for number in range(5):
        assert plant.marks(f"a{number}") == ["begun", "ended"]
    after = plant.submit("test.steps", params=plant.file("after"))
    assert _ended_once(plant, after)["state"] == "succeeded"


def test_redis_flushed(plant: Plant) -> None:
    plant.start_worker()
    _ended_once(plant, plant.submit("test.steps", params=plant.file("warm")))
    plant.flush_redis()
    for number in range(3):
        begun = time.monotonic()
        pk = plant.submit("test.steps", params=plant.file(f"a{number}"))
        assert _ended_once(plant, pk)["state"] == "succeeded"
        assert time.monotonic() - begun < 5


@pytest.mark.parametrize("workers", [1, 2])
def test_a_message_delivered_three_times(plant: Plant, workers: int) -> None:
    asked = [
        plant.submit("test.stubborn", params=plant.file(f"a{n}", steps=5))
        for n in range(10)
    ]
    for pk in asked:
        plant.ask("deliver", pk=pk, times=3)
    for _ in range(workers):
        plant.start_worker()
    for number, pk in enumerate(asked):
        said = _ended_once(plant, pk)
        assert (said["state"], said["attempts"]) == ("succeeded", 1)
        assert plant.marks(f"a{number}") == ["begun", "ended"]
    plant.ask("deliver", pk=asked[0], times=3)
    plant.ended(plant.submit("test.steps", params=plant.file("later")))
    assert plant.marks("a0") == ["begun", "ended"]


def test_what_was_not_begun_in_time_never_runs(plant: Plant) -> None:
    pk = plant.submit("test.steps", params=plant.file("a"), expires_s=1)
    kept = plant.submit("test.steps", params=plant.file("b"), expires_s=None)
    time.sleep(1.2)  # the time it must not survive
    plant.start_worker()
    said = _ended_once(plant, pk)
    assert said["state"] == "failed"
    assert said["error"]["code"] == "expired"
    assert "never runs late" in said["message"]
    assert plant.marks("a") == []
    assert _ended_once(plant, kept)["state"] == "succeeded"
