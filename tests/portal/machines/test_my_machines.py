"""My machines: what one has, how to reach it, how long it stays, and giving it back."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from guests.models import Guest
from guests.snapshots.models import Snapshot
from hosts.models import Host
from kvmweb.accounts.models import AuditEntry, Member, Project, User
from kvmweb.errors import NotFound
from kvmweb.live.topics import open_topic
from kvmweb.operations.ending import End, end
from kvmweb.operations.models import Operation
from portal.leases.models import Lease, Policy
from portal.ledger import charging
from portal.ledger.models import Charge, Quota
from portal.requests.models import Request
from portal.telling.models import Notice
from tests.portal.machines.conftest import guest_of

JSON = "application/json"


def text(client: Client, path: str) -> str:
    """A page's text."""
    answer = client.get(path)
    assert answer.status_code == 200, (path, answer.status_code)
    return str(answer.content.decode())


def test_it_lists_ones_own_and_those_of_ones_projects(
    as_user: Client, as_carla: Client, as_operator: Client, web: Guest, host: Host
) -> None:
    guest_of(host, "foreign")
    guest_of(host, "mine", owner=User.objects.get(username="uwe"))
    page = text(as_user, "/machines/")
    assert "web" in page
    assert "mine" in page
    assert "foreign" not in page
    assert "mine" not in text(as_carla, "/machines/")
    assert "web" in text(as_carla, "/machines/")
    assert "No machines yet" in text(as_operator, "/machines/")


def test_it_says_how_to_connect(as_user: Client, web: Guest) -> None:
    page = text(as_user, "/machines/")
    assert 'data-copy="10.0.0.5"' in page
    assert 'data-copy="ssh 10.0.0.5"' in page
    Operation.objects.create(
        kind="guest.create", guest=web.pk, state="succeeded", params={"login": "uwe"}
    )
    for path in ("/machines/", f"/machines/{web.pk}/"):
        assert 'data-copy="ssh uwe@10.0.0.5"' in text(as_user, path)
    assert f"/guests/{web.pk}/console/" in page


def test_a_viewer_sees_and_may_do_nothing(
    as_carla: Client, carla: User, web: Guest, lease: Lease
) -> None:
    Member.objects.filter(user=carla).update(role=Member.Role.VIEWER)
    for path in ("/machines/", f"/machines/{web.pk}/"):
        page = text(as_carla, path)
        assert "10.0.0.5" in page
        assert "/console/" not in page
        assert 'data-act="' not in page
        assert "Extend" not in page
    for page in ("extend", "resize", "hand-over", "delete"):
        path = f"/machines/{web.pk}/{page}/"
        assert as_carla.post(path, {}).status_code == 403, page


def test_a_list_costs_a_fixed_number_of_queries(
    as_user: Client,
    web: Guest,
    lease: Lease,
    shop: Project,
    host: Host,
    django_assert_max_num_queries: Callable[[int], Any],
) -> None:
    with django_assert_max_num_queries(13):
        as_user.get("/machines/")
    for number in range(30):
        guest = guest_of(host, f"web-{number}", project=shop)
        Lease.objects.create(
            guest=guest.pk, guest_name=guest.name, project=shop, ends_at=lease.ends_at
        )
    with django_assert_max_num_queries(13):
        as_user.get("/machines/")


def test_it_is_extended_by_the_rule(
    as_user: Client, web: Guest, lease: Lease, shop: Project
) -> None:
    Policy.objects.create(project=shop, extend_days=7, extend_most_days=10)
    assert 'value="7"' in text(as_user, "/machines/")
    before = lease.ends_at
    gone = as_user.post(f"/machines/{web.pk}/extend/", {"days": 7})
    assert gone.status_code == 302
    lease.refresh_from_db()
    assert (lease.ends_at - before).days == 7
    assert 'value="3"' in text(as_user, f"/machines/{web.pk}/")


def test_beyond_the_rule_somebody_is_asked(
    as_user: Client, web: Guest, lease: Lease
) -> None:
    page = text(as_user, f"/machines/{web.pk}/")
    assert "Ask for more time" in page
    wish = {"days": 20, "reason": "It is not done."}
    assert as_user.post(f"/machines/{web.pk}/extend/", wish).status_code == 302
    asked = Request.objects.get()
    assert (asked.kind, asked.lease_days, asked.state) == ("extend", 20, "pending")
    assert "waits for a decision" in text(as_user, f"/machines/{web.pk}/")
    again = as_user.post(
        f"/api/v1/guests/{web.pk}/ask-time/", {"days": 5}, content_type=JSON
    )
    assert again.status_code == 409


def test_an_approved_extension_moves_the_end(
    as_user: Client, as_admin: Client, web: Guest, lease: Lease
) -> None:
    before = lease.ends_at
    asked = as_user.post(
        f"/api/v1/guests/{web.pk}/ask-time/", {"days": 20}, content_type=JSON
    )
    assert asked.status_code == 201, asked.content
    path = f"/api/v1/requests/{asked.json()['id']}/approve/"
    said = as_admin.post(path, {}, content_type=JSON)
    assert said.status_code in {200, 202}, said.content
    lease.refresh_from_db()
    assert (lease.ends_at - before).days == 20


def test_another_size_is_asked_for(as_user: Client, web: Guest) -> None:
    assert "1 GiB" in text(as_user, f"/machines/{web.pk}/resize/")
    wish = {"vcpus": 4, "memory": "2 GiB", "reason": "Busy."}
    gone = as_user.post(f"/machines/{web.pk}/resize/", wish)
    assert gone.status_code == 302
    asked = Request.objects.get()
    assert (asked.kind, asked.vcpus, asked.memory_bytes) == ("resize", 4, 2 * 1024**3)
    wrong = as_user.post(f"/machines/{web.pk}/resize/", wish | {"memory": "much"})
    assert wrong.status_code == 422


def test_it_is_handed_over_and_both_are_told(
    as_user: Client, as_carla: Client, web: Guest, user: User, carla: User
) -> None:
    path = f"/machines/{web.pk}/hand-over/"
    assert "carla" in text(as_user, path)
    assert as_carla.get(path).status_code == 403
    assert as_user.post(path, {"to": "carla"}).status_code == 302
    web.refresh_from_db()
    assert web.owner == carla
    titles = dict(Notice.objects.values_list("user__username", "title"))
    assert titles == {
        "carla": "web is yours now",
        "uwe": "web was handed over to carla",
    }
    (row,) = AuditEntry.objects.filter(action="guest.hand-over")
    assert (row.actor, row.details) == ("uwe", {"from": "uwe", "to": "carla"})
    assert as_user.get(path).status_code == 403
    assert as_carla.get(path).status_code == 200


def test_it_is_handed_over_to_nobody_else(
    as_user: Client, web: Guest, carla: User, operator: User
) -> None:
    path = f"/api/v1/guests/{web.pk}/hand-over/"
    Member.objects.filter(user=carla).update(role=Member.Role.VIEWER)
    told = []
    for name in ("carla", "olga", "nobody-at-all"):
        said = as_user.post(path, {"to": name}, content_type=JSON)
        assert said.status_code == 404, name
        told.append(said.json()["detail"].replace(name, "X"))
    assert len(set(told)) == 1
    web.refresh_from_db()
    assert web.owner is not None
    assert web.owner.username == "uwe"


def test_deleting_says_what_will_be_lost_and_asks_for_the_name(
    as_user: Client, web: Guest, host: Host
) -> None:
    Guest.objects.update(state="shutoff")
    Snapshot.objects.create(guest=web, name="before-it", kind="internal")
    path = f"/machines/{web.pk}/delete/"
    page = text(as_user, path)
    for word in ("web.qcow2", "5 GiB", "before-it", "cannot be undone"):
        assert word in page, word
    assert "hush" not in page
    assert as_user.post(path, {"name": "wep"}).status_code == 422
    assert not Operation.objects.exists()
    assert as_user.post(path, {"name": "web"}).status_code == 302
    asked = Operation.objects.get(kind="guest.delete")
    assert asked.params["volumes"] == ["/hush-images/web.qcow2"]


def test_a_volume_that_others_use_stays_and_they_are_not_named(
    as_user: Client, web: Guest, host: Host
) -> None:
    other = guest_of(host, "hush-guest")
    Guest.objects.filter(pk=other.pk).update(uses=["/hush-images/web.qcow2"])
    Guest.objects.filter(pk=web.pk).update(state="shutoff")
    page = text(as_user, f"/machines/{web.pk}/delete/")
    assert "hush" not in page
    assert "stays. It may serve other guests." in page
    assert "hush" not in text(as_user, f"/guests/{web.pk}/delete/")
    as_user.post(f"/machines/{web.pk}/delete/", {"name": "web"})
    asked = Operation.objects.get(kind="guest.delete")
    assert asked.params["volumes"] == []


def test_a_running_or_protected_one_is_not_deleted(as_user: Client, web: Guest) -> None:
    path = f"/machines/{web.pk}/delete/"
    assert "shut it down" in text(as_user, path)
    assert as_user.post(path, {"name": "web"}).status_code == 422
    Guest.objects.update(state="shutoff", protected=True)
    assert "protected from deletion" in text(as_user, path)
    assert as_user.post(path, {"name": "web"}).status_code == 422
    assert not Operation.objects.exists()


def test_its_quota_is_free_once_it_is_deleted(
    as_user: Client, web: Guest, shop: Project
) -> None:
    Quota.objects.create(project=shop, guests=1)
    charging.ProjectLedger().given(web, shop)
    Guest.objects.update(state="shutoff")
    as_user.post(f"/machines/{web.pk}/delete/", {"name": "web"})
    assert Charge.objects.count() == 1
    row = Operation.objects.filter(kind="guest.delete")
    end(row, End(Operation.State.SUCCEEDED, "web was deleted."))
    assert not Charge.objects.exists()


def test_snapshots_are_within_the_quota(
    as_user: Client, web: Guest, shop: Project
) -> None:
    Quota.objects.create(project=shop, snapshots=1)
    assert "0 of 1" in text(as_user, f"/machines/{web.pk}/")
    Snapshot.objects.create(guest=web, name="one", kind="internal")
    Guest.objects.update(snapshots=1, state="shutoff", virt_type="test")
    page = text(as_user, f"/machines/{web.pk}/")
    assert "1 of 1" in page
    assert "Delete one to make another." in page
    path = f"/api/v1/guests/{web.pk}/snapshots/"
    said = as_user.post(path, {"name": "two"}, content_type=JSON)
    assert said.status_code == 409
    assert "may have 1" in said.json()["detail"]


def test_a_member_hears_of_it_and_a_stranger_does_not(
    carla: User, web: Guest, db: None
) -> None:
    stranger = User.objects.make("stranger", None)
    assert open_topic(carla, f"guest:{web.pk}")
    with pytest.raises(NotFound):
        open_topic(stranger, f"guest:{web.pk}")


def test_a_user_lands_on_their_machines(
    client: Client, user: User, admin: User
) -> None:
    for name, place in (("uwe", "/machines/"), ("anna", "/")):
        body = {"username": name, "password": "a long enough word"}
        answer = client.post("/login/", body)
        assert (answer.status_code, answer["Location"]) == (302, place)
        client.logout()
