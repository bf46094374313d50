"""Somebody asks, a worker does it, and says how it went."""

import statistics
import time
from uuid import uuid4

import pytest

from tests.kvmweb.operations.plant import Plant, Refused
from tests.waiting import until


def test_it_ends_with_a_sentence_and_one_audit_row_for_each_outcome(
    plant: Plant,
) -> None:
    plant.start_worker()
    done = plant.submit("test.steps", params=plant.file("a", steps=3), host=1)
    refused = plant.submit("test.fail", guest_name="web-1")
    broken = plant.submit("test.break", guest_name="web-2")
    taken = plant.submit("test.taken-away", params=plant.file("b"))

    said = plant.ended(done)
    assert (said["state"], said["progress"]) == ("succeeded", 1)
    assert said["message"] == "3 steps were made."
    assert said["result"] == {"steps": 3}
    assert said["audit"] == ["accepted", "succeeded"]
    assert plant.marks("a") == ["begun", "ended"]

    said = plant.ended(refused)
    assert said["state"] == "failed"
    assert said["error"] == {
        "code": "host_error",
        "message": "The host says no. Ask it nicely.",
    }
    assert said["audit"] == ["accepted", "failed"]

    said = plant.ended(broken)
    assert said["error"]["code"] == "internal_error"
    assert "secret-in-a-trace" not in str(said)
    assert "secret-in-a-trace" in plant.log()

    said = plant.ended(taken)
    assert said["error"]["code"] == "forbidden"
    assert plant.marks("b") == []


def test_a_worker_begins_within_a_moment(slow_plant: Plant) -> None:
    slow_plant.start_worker()
    slow_plant.ended(slow_plant.submit("test.steps", params=slow_plant.file("warm")))
    took = []
    for number in range(8):
        begun = time.monotonic()
        pk = slow_plant.submit("test.steps", params=slow_plant.file(f"m{number}"))
        until(lambda n=number: slow_plant.marks(f"m{n}"), 5, pause=0.001)
        took.append(time.monotonic() - begun)
        slow_plant.ended(pk)
    # Who only looked every 2 s would need half of that.
    assert statistics.median(took) < 0.4, took


def test_one_guest_has_one_operation_at_a_time(plant: Plant) -> None:
    guest = str(uuid4())
    first = plant.submit("test.steps", guest=guest, params=plant.file("a"))
    with pytest.raises(Refused) as refused:
        plant.submit("test.steps", guest=guest, params=plant.file("b"))
    assert refused.value.code == "conflict"
    assert refused.value.operation == first
    assert first in str(refused.value)
    assert "asked for by ada" in str(refused.value)
    plant.start_worker()
    plant.ended(first)
    plant.ended(plant.submit("test.steps", guest=guest, params=plant.file("b")))


def test_a_host_gets_four_at_a_time_and_others_do_not_wait_for_it(
    plant: Plant,
) -> None:
    plant.start_worker()
    slow = [
        plant.submit("test.steps", host=1, params=plant.file(f"s{n}", steps=60))
        for n in range(7)
    ]
    other = plant.submit("test.steps", host=2, params=plant.file("other"))
    assert plant.ended(other)["state"] == "succeeded"
    states = [plant.state(pk) for pk in slow]
    assert states == ["running"] * 4 + ["queued"] * 3
    plant.ask("cancel", pk=slow[0])
    until(lambda: plant.state(slow[4]) == "running", 1.5, pause=0.05)
    for pk in slow[1:]:
        plant.ask("cancel", pk=pk)
    for pk in slow:
        assert plant.ended(pk)["state"] == "cancelled"


def test_a_cancelled_one_stops_where_it_is(plant: Plant) -> None:
    queued = plant.submit("test.steps", params=plant.file("a"))
    assert plant.ask("cancel", pk=queued)["state"] == "cancelled"
    plant.start_worker()
    running = plant.submit("test.steps", params=plant.file("b", steps=400))
    plant.running(running)
    asked = time.monotonic()
    plant.ask("cancel", pk=running)
    said = plant.ended(running, 5)
    assert time.monotonic() - asked < 2
    assert said["state"] == "cancelled"
    assert said["audit"] == ["accepted", "cancelled"]
    assert plant.marks("a") == []
    assert plant.marks("b") == ["begun"]

    stubborn = plant.submit("test.stubborn", params=plant.file("c", steps=40))
    plant.running(stubborn)
    with pytest.raises(Refused, match="cannot be stopped half way"):
        plant.ask("cancel", pk=stubborn)
    assert plant.ended(stubborn)["state"] == "succeeded"
    with pytest.raises(Refused, match="already ended"):
        plant.ask("cancel", pk=stubborn)
