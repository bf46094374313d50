"""A host is emptied: as rehearsed, a few at a time, to an end; and brought home again."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from guests.balance.models import PlacementRule
from guests.creation.rooms import rooms
from guests.draining import services
from guests.draining.models import Convoy, Home, Step
from guests.models import Guest
from hosts.models import Host
from kvmweb.operations import services as operations
from kvmweb.operations.models import Operation
from tests.guests.fleet import MIB, Ender, State

Runs = Callable[..., Guest]
JSON = "application/json"


def evacuate(client: Client, host: Host, **about: Any) -> dict[str, Any]:
    answer = client.post(
        f"/api/v1/hosts/{host.pk}/maintenance/",
        {"enabled": True, "evacuate": True} | about,
        content_type=JSON,
    )
    assert answer.status_code == 202, answer.content
    assert answer["Location"] == f"/api/v1/operations/{answer.json()['id']}/"
    found: dict[str, Any] = answer.json()
    return found


def planned(client: Client, host: Host) -> dict[str, Any]:
    found: dict[str, Any] = client.get(
        f"/api/v1/hosts/{host.pk}/evacuation-plan/"
    ).json()
    return found


def under_way() -> list[Operation]:
    return list(
        Operation.objects.filter(
            kind="guest.migrate", state__in=Operation.ACTIVE
        ).order_by("created_at")
    )


def test_the_rehearsal_is_the_run(
    fleet: list[Host], runs: Runs, as_admin: Client
) -> None:
    for number in range(8):
        runs(f"web-{number}", memory_mib=64 + number)
    plan = planned(as_admin, fleet[0])
    assert not Convoy.objects.exists()
    assert plan["still_fits_without_one_more"]
    assert len(plan["moves"]) == 8
    evacuate(as_admin, fleet[0])
    steps = Step.objects.values_list("guest", "target", "storage")
    assert [(str(guest), target, storage) for guest, target, storage in steps] == [
        (it["guest"], it["to_host"], it["storage"]) for it in plan["moves"]
    ]


def test_two_at_once_go_to_a_host_and_the_next_follow_when_one_ends(
    fleet: list[Host], runs: Runs, as_admin: Client, arrives: Ender
) -> None:
    guests = [runs(f"web-{number}") for number in range(8)]
    said = evacuate(as_admin, fleet[0])
    assert said["kind"] == "host.evacuate"
    assert len(said["children"]) == 3
    fleet[0].refresh_from_db()
    assert fleet[0].maintenance
    while moves := under_way():
        targets = [move.params["target"] for move in moves]
        assert max(targets.count(host.pk) for host in fleet) <= 2
        assert moves[0].guest is not None
        arrives(moves[0].guest)
    parent = Operation.objects.get(pk=said["id"])
    assert (parent.state, parent.progress) == (State.SUCCEEDED, 1)
    assert parent.message == "kvm1: 8 moved."
    assert {it["to"] for it in parent.result["guests"]} == {"kvm2", "kvm3"}
    assert Home.objects.filter(host=fleet[0]).count() == len(guests)


def test_what_fails_is_tried_once_more_elsewhere_and_never_again(
    fleet: list[Host], runs: Runs, as_admin: Client, arrives: Ender
) -> None:
    guest = runs("web")
    said = evacuate(as_admin, fleet[0])
    first = under_way()[0].params["target"]
    arrives(guest.pk, State.FAILED)
    assert under_way()[0].params["target"] not in {first, fleet[0].pk}
    arrives(guest.pk, State.FAILED)
    assert not under_way()
    parent = Operation.objects.get(pk=said["id"])
    assert parent.state == State.FAILED
    assert parent.message == ("kvm1: Nothing was to be done. 1 did not work out: web.")
    assert parent.result["guests"][0]["attempts"] == 2
    assert not Home.objects.exists()


def test_an_error_is_no_failure_when_the_guest_is_there(
    fleet: list[Host], runs: Runs, as_admin: Client, arrives: Ender
) -> None:
    guest = runs("web")
    said = evacuate(as_admin, fleet[0])
    Guest.objects.filter(pk=guest.pk).update(host=under_way()[0].params["target"])
    arrives(guest.pk, State.FAILED)
    assert Operation.objects.get(pk=said["id"]).state == State.SUCCEEDED


@pytest.mark.parametrize(
    ("choice", "kind"), [("shut-down", "guest.shutdown"), ("suspend", "guest.save")]
)
def test_what_is_stuck_is_stopped_as_chosen_and_started_when_it_comes_home(
    fleet: list[Host],
    runs: Runs,
    as_admin: Client,
    arrives: Ender,
    choice: str,
    kind: str,
) -> None:
    huge = runs("huge", memory_mib=4096)
    stays = runs("stays", memory_mib=4096)
    (stuck,) = [
        it for it in planned(as_admin, fleet[0])["stuck"] if it["guest_name"] == "huge"
    ]
    assert {it["host"] for it in stuck["reasons"]} == {"kvm2", "kvm3"}
    assert all(it["message"] and it["fix"] for it in stuck["reasons"])
    said = evacuate(as_admin, fleet[0], choices={str(huge.pk): choice})
    assert Operation.objects.get(guest=huge.pk).kind == kind
    Guest.objects.filter(pk=huge.pk).update(state="shutoff")
    arrives(huge.pk)
    parent = Operation.objects.get(pk=said["id"])
    assert parent.state == State.SUCCEEDED
    assert "1 left as chosen." in parent.message
    assert not Operation.objects.filter(guest=stays.pk).exists()
    Host.objects.filter(pk=fleet[0].pk).update(maintenance=False)
    answer = as_admin.post(
        f"/api/v1/hosts/{fleet[0].pk}/bring-home/", {}, content_type=JSON
    )
    assert answer.status_code == 202, answer.content
    assert Operation.objects.filter(guest=huge.pk, kind="guest.start").exists()


def test_nothing_is_begun_while_it_is_paused(
    fleet: list[Host], runs: Runs, as_admin: Client, arrives: Ender
) -> None:
    for number in range(6):
        runs(f"web-{number}")
    said = evacuate(as_admin, fleet[0], per_target=1)
    url = f"/api/v1/operations/{said['id']}/convoy/"
    assert as_admin.patch(url, {"paused": True}, content_type=JSON).json()["paused"]
    for move in under_way():
        assert move.guest is not None
        arrives(move.guest)
    assert not under_way()
    operations.sweep()
    assert not under_way()
    as_admin.patch(url, {"paused": False}, content_type=JSON)
    assert len(under_way()) == 2


@pytest.mark.parametrize("gently", [True, False])
def test_cancelling_begins_nothing_more(
    fleet: list[Host], runs: Runs, as_admin: Client, arrives: Ender, *, gently: bool
) -> None:
    for number in range(6):
        runs(f"web-{number}")
    said = evacuate(as_admin, fleet[0], per_target=1)
    first, second = under_way()
    Operation.objects.filter(pk=first.pk).update(state=State.RUNNING, worker="w")
    answer = as_admin.post(
        f"/api/v1/operations/{said['id']}/convoy/stop/",
        {"gently": gently},
        content_type=JSON,
    )
    assert answer.status_code == 202
    second.refresh_from_db()
    assert second.state == State.CANCELLED  # it had not begun
    (going,) = under_way()
    assert (going.cancel_requested_at is None) == gently
    assert first.guest is not None
    arrives(first.guest, State.SUCCEEDED if gently else State.CANCELLED)
    parent = Operation.objects.get(pk=said["id"])
    assert parent.state == State.CANCELLED
    assert Operation.objects.filter(kind="guest.migrate").count() == 2


def test_a_guest_that_others_keep_busy_waits_for_its_turn(
    fleet: list[Host], runs: Runs, as_admin: Client, arrives: Ender
) -> None:
    guests = {runs(f"web-{number}").pk for number in range(3)}
    evacuate(as_admin, fleet[0], per_target=1)
    first, second = under_way()
    assert first.guest
    assert second.guest
    (third,) = guests - {first.guest, second.guest}
    other = Operation.objects.create(kind="guest.pause", guest=third)
    arrives(first.guest)
    assert under_way() == [second]
    assert Step.objects.get(guest=third).state == Step.State.WAITING
    Operation.objects.filter(pk=other.pk).update(state=State.SUCCEEDED)
    operations.sweep()
    assert {move.guest for move in under_way()} == {second.guest, third}


def test_a_guest_that_is_busy_at_the_rehearsal_is_planned_and_waits(
    fleet: list[Host], runs: Runs, as_admin: Client
) -> None:
    guest = runs("web")
    other = Operation.objects.create(kind="guest.snapshot", guest=guest.pk)
    (move,) = planned(as_admin, fleet[0])["moves"]
    assert move["guest"] == str(guest.pk)
    evacuate(as_admin, fleet[0])
    assert not under_way()
    Operation.objects.filter(pk=other.pk).update(state=State.SUCCEEDED)
    operations.sweep()
    assert under_way()


def test_a_guest_that_is_always_busy_is_given_up_in_the_end(
    fleet: list[Host], runs: Runs, as_admin: Client
) -> None:
    guest = runs("web")
    Operation.objects.create(kind="guest.snapshot", guest=guest.pk)
    said = evacuate(as_admin, fleet[0])
    Step.objects.update(busy_since=timezone.now() - timedelta(minutes=11))
    operations.sweep()
    parent = Operation.objects.get(pk=said["id"])
    assert parent.state == State.FAILED
    assert parent.result["guests"][0]["message"] == "web was busy all the time."


def test_planned_moves_are_promised_to_their_targets(
    fleet: list[Host], runs: Runs, as_admin: Client
) -> None:
    for number in range(6):
        runs(f"web-{number}", memory_mib=100)
    evacuate(as_admin, fleet[0], per_target=1)
    promised = {it.id: it.memory_promised_bytes // MIB for it in rooms(())}
    assert promised == {fleet[0].pk: 600, fleet[1].pk: 300, fleet[2].pk: 300}


def test_the_rehearsal_costs_the_same_for_many_guests(
    fleet: list[Host], runs: Runs
) -> None:
    counts = []
    for number in range(6):
        runs(f"web-{number}")
        with CaptureQueriesContext(connection) as asked:
            services.rehearse(fleet[0])
        counts.append(len(asked))
    assert len(set(counts)) == 1


def test_a_host_in_maintenance_takes_nobody(
    fleet: list[Host], runs: Runs, as_admin: Client
) -> None:
    Host.objects.filter(pk=fleet[1].pk).update(maintenance=True)
    runs("web")
    (move,) = planned(as_admin, fleet[0])["moves"]
    assert move["to_host"] == fleet[2].pk


def test_rules_about_tags_count(
    fleet: list[Host], runs: Runs, as_admin: Client
) -> None:
    PlacementRule.objects.create(tag="db", kind="apart")
    runs("old", host=fleet[1], tags=["db"], tag_words=" db ")
    runs("new", tags=["db"], tag_words=" db ")
    (move,) = planned(as_admin, fleet[0])["moves"]
    assert move["to_host"] == fleet[2].pk


def test_it_is_emptied_once_at_a_time_and_maintenance_lasts_as_long(
    fleet: list[Host], runs: Runs, as_admin: Client
) -> None:
    runs("web")
    url = f"/api/v1/hosts/{fleet[0].pk}/maintenance/"
    evacuate(as_admin, fleet[0])
    again = as_admin.post(url, {"enabled": True, "evacuate": True}, content_type=JSON)
    assert again.status_code == 409
    end = as_admin.post(url, {"enabled": False}, content_type=JSON)
    assert end.status_code == 409
    assert "being moved away" in end.json()["detail"]


def test_an_empty_host_is_done_at_once(fleet: list[Host], as_admin: Client) -> None:
    said = evacuate(as_admin, fleet[0])
    assert (said["state"], said["children"]) == ("succeeded", [])


def test_those_that_are_off_move_only_where_that_is_wished(
    fleet: list[Host], runs: Runs, as_admin: Client
) -> None:
    runs("off", state="shutoff")
    plan = planned(as_admin, fleet[0])
    assert plan["moves"] == []
    assert [it["guest_name"] for it in plan["off"]["moves"]] == ["off"]
    evacuate(as_admin, fleet[0], carry=True)
    (move,) = under_way()
    assert move.params["wish"]["mode"] == "offline"


def test_they_come_home(
    fleet: list[Host], runs: Runs, as_admin: Client, arrives: Ender
) -> None:
    guests = [runs(f"web-{number}") for number in range(3)]
    evacuate(as_admin, fleet[0])
    for guest in guests:
        arrives(guest.pk)
    url = f"/api/v1/hosts/{fleet[0].pk}/bring-home/"
    refused = as_admin.post(url, {}, content_type=JSON)
    assert refused.status_code == 409  # still in maintenance
    Host.objects.filter(pk=fleet[0].pk).update(maintenance=False)
    away = as_admin.get(f"/api/v1/hosts/{fleet[0].pk}/away/").json()
    assert [it["guest_name"] for it in away] == ["web-0", "web-1", "web-2"]
    said = as_admin.post(url, {}, content_type=JSON).json()
    for guest in guests:
        arrives(guest.pk)
    assert Operation.objects.get(pk=said["id"]).message == "Back to kvm1: 3 moved."
    assert not Home.objects.exists()
    assert Guest.objects.filter(host=fleet[0]).count() == 3


def test_an_operator_may_look_but_not_empty(
    fleet: list[Host], as_operator: Client
) -> None:
    assert (
        as_operator.get(f"/api/v1/hosts/{fleet[0].pk}/evacuation-plan/").status_code
        == 200
    )
    answer = as_operator.post(
        f"/api/v1/hosts/{fleet[0].pk}/maintenance/",
        {"enabled": True, "evacuate": True},
        content_type=JSON,
    )
    assert answer.status_code == 403


def test_an_operation_that_is_no_convoy_has_none(as_admin: Client, db: None) -> None:
    other = Operation.objects.create(kind="guest.start", guest=uuid4())
    assert as_admin.get(f"/api/v1/operations/{other.pk}/convoy/").status_code == 404
