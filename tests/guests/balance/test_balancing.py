"""Balancing by a click, by itself where it is switched on, and rules about tags."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.utils import timezone

from guests.balance import services
from guests.balance.facts import record_strain
from guests.balance.models import Autopilot, PlacementRule, Strain
from guests.models import Guest
from hosts.models import Host
from kvmweb.accounts.models import User
from kvmweb.operations.models import Operation
from kvmweb.virt.types import GuestStrain

Runs = Callable[..., Guest]
JSON = "application/json"


@pytest.fixture
def suffering(fleet: list[Host], runs: Runs) -> list[Guest]:
    """Three guests of the first host that wait for half a CPU each."""
    guests = [runs(f"web-{n}", tags=["web"], tag_words=" web ") for n in range(3)]
    strained(fleet[0], *(guest.pk for guest in guests))
    return guests


def strained(host: Host, *guests: UUID, percent: float = 50.0) -> None:
    record_strain(host, [GuestStrain(pk, percent, 1.0) for pk in guests])


def proposal(client: Client) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/api/v1/balance/proposal/").json()
    return found


def test_a_proposal_says_what_is_expected_of_it(
    suffering: list[Guest], as_operator: Client
) -> None:
    found = proposal(as_operator)
    assert found["gain_percent"] == pytest.approx(100)
    assert {it["guest"] for it in found["moves"]} == {str(it.pk) for it in suffering}
    assert found["before"][0]["waiting_cpus"] == pytest.approx(1.5)
    assert found["moves"][0]["relief_cpus"] == pytest.approx(0.5)
    assert not Operation.objects.exists()


def test_old_measurements_do_not_count(
    suffering: list[Guest], as_admin: Client
) -> None:
    Strain.objects.update(at=timezone.now() - timedelta(minutes=10))
    assert proposal(as_admin)["moves"] == []


def test_what_was_chosen_is_moved_and_nothing_else(
    suffering: list[Guest], as_admin: Client
) -> None:
    first = proposal(as_admin)["moves"][0]
    body = {"moves": [{"guest": first["guest"], "to_host": first["to_host"]}]}
    answer = as_admin.post("/api/v1/balance/run/", body, content_type=JSON)
    assert answer.status_code == 202, answer.content
    (move,) = Operation.objects.filter(kind="guest.migrate")
    assert (str(move.guest), move.params["target"]) == (
        first["guest"],
        first["to_host"],
    )
    assert str(move.parent_id) == answer.json()["id"]


def test_a_proposal_that_changed_is_not_run(
    suffering: list[Guest], as_admin: Client
) -> None:
    first = proposal(as_admin)["moves"][0]
    Strain.objects.all().delete()
    body = {"moves": [{"guest": first["guest"], "to_host": first["to_host"]}]}
    answer = as_admin.post("/api/v1/balance/run/", body, content_type=JSON)
    assert answer.status_code == 409
    assert not Operation.objects.exists()


def test_the_page_shows_it_and_its_button_runs_it(
    suffering: list[Guest], as_admin: Client
) -> None:
    page = as_admin.get("/balance/").content.decode()
    assert "It waits for 0.50 CPUs on kvm1." in page
    ticked = [f"{it['guest']} {it['to_host']}" for it in proposal(as_admin)["moves"]]
    answer = as_admin.post("/balance/run/", {"move": ticked})
    operation = Operation.objects.get(kind="guests.balance")
    way = f"/operations/{operation.pk}/guests/"
    assert answer["Location"] == way
    page = as_admin.get("/balance/").content.decode()
    assert f'Guests are being balanced: <a href="{way}">' in page


def test_by_itself_it_does_nothing_unless_switched_on(
    suffering: list[Guest], admin: User
) -> None:
    assert services.automatic(timezone.now()) == []
    services.steer("", services.Course(enabled=False), by=admin)
    assert services.automatic(timezone.now()) == []


def test_by_itself_it_waits_whether_it_lasts_and_then_cools_down(
    fleet: list[Host],
    suffering: list[Guest],
    admin: User,
    arrives: Callable[..., None],
) -> None:
    course = services.Course(enabled=True, hold_s=60, cool_down_s=600)
    services.steer("", course, by=admin)
    now = timezone.now()
    assert services.automatic(now) == []
    assert services.automatic(now + timedelta(seconds=59)) == []
    (begun,) = services.automatic(now + timedelta(seconds=60))
    assert begun.author == admin.username
    for guest in suffering:
        arrives(guest.pk)
    Guest.objects.update(host=fleet[0])
    for seconds in (61, 300, 659):
        assert services.automatic(now + timedelta(seconds=seconds)) == []
    assert services.automatic(now + timedelta(seconds=661))


def test_by_itself_it_forgets_what_did_not_last(
    fleet: list[Host], suffering: list[Guest], admin: User
) -> None:
    services.steer("", services.Course(enabled=True, hold_s=60), by=admin)
    now = timezone.now()
    services.automatic(now)
    strained(fleet[0], *(it.pk for it in suffering), percent=0)
    services.automatic(now + timedelta(seconds=30))
    strained(fleet[0], *(it.pk for it in suffering))
    assert services.automatic(now + timedelta(seconds=61)) == []
    assert "waits whether that lasts" in Autopilot.objects.get().said


def test_by_itself_only_guests_with_the_tag_move(
    suffering: list[Guest], admin: User
) -> None:
    Guest.objects.filter(pk=suffering[0].pk).update(tags=["calm"], tag_words=" calm ")
    services.steer("calm", services.Course(enabled=True, hold_s=0), by=admin)
    assert services.automatic(timezone.now())
    (move,) = Operation.objects.filter(kind="guest.migrate")
    assert move.guest == suffering[0].pk


def test_rules_are_said_and_taken_back(as_admin: Client, db: None) -> None:
    body = {"tag": "db", "kind": "apart"}
    url = "/api/v1/balance/rules/"
    made = as_admin.post(url, body, content_type=JSON)
    assert made.status_code == 201
    assert as_admin.post(url, body, content_type=JSON).status_code == 409
    no_host_tag = as_admin.post(url, {"tag": "a", "kind": "on"}, content_type=JSON)
    assert "host_tag" in no_host_tag.json()["errors"]
    assert as_admin.delete(f"{url}{made.json()['id']}/").status_code == 204
    assert not PlacementRule.objects.exists()


def test_an_operator_may_look_but_moves_nothing(
    suffering: list[Guest], as_operator: Client
) -> None:
    assert as_operator.get("/balance/").status_code == 200
    assert as_operator.post("/balance/run/", {"move": "x"}).status_code == 403


def test_a_new_guest_keeps_to_the_rules(
    fleet: list[Host], runs: Runs, as_admin: Client
) -> None:
    PlacementRule.objects.create(tag="db", kind="on", host_tag="ssd")
    Host.objects.filter(pk=fleet[2].pk).update(tags=["ssd"])
    body = {"name": "new", "vcpus": 1, "memory_bytes": 64 * 1024**2, "tags": ["db"]}
    answer = as_admin.post("/api/v1/guests/preview/", body, content_type=JSON)
    assert answer.status_code == 200, answer.content
    assert answer.json()["guests"][0]["host_name"] == "kvm3"
