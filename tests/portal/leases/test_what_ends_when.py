"""The list of leases: what ends when, whose it is, and whether anybody uses it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.test import Client
from django.utils import timezone

from guests.models import Guest
from hosts.models import Host
from kvmweb.accounts import audit
from kvmweb.accounts.models import Project, User
from kvmweb.rollups.models import Rollup
from kvmweb.rollups.records import NO_KIB, PACKED, key_of_guest
from portal.leases.models import Lease, Looking

API = "/api/v1/leases/"


def used(guest: Guest, percent: float, hours: int = 48) -> None:
    """It used so much of its CPUs in each of the last hours."""
    now = int(timezone.now().timestamp()) // 3600
    Rollup.objects.bulk_create(
        Rollup(
            subject=key_of_guest(guest.pk),
            hour=now - hour,
            average=PACKED.pack(1, percent, NO_KIB, NO_KIB, 0, 0, 0, 0),
        )
        for hour in range(1, hours + 1)
    )


def evidence(client: Client) -> dict[str, Any]:
    """Of the only lease."""
    (item,) = client.get(API).json()["items"]
    return dict(item["evidence"])


def test_an_idle_one_that_nobody_opens_looks_unused(
    as_admin: Client, web: Guest, lease: Lease, user: User
) -> None:
    assert evidence(as_admin)["unused"] is False
    assert evidence(as_admin)["cpu_percent"] is None
    used(web, 0.5)
    said = evidence(as_admin)
    assert (said["unused"], said["cpu_percent"], said["hours_known"]) == (True, 0.5, 48)
    assert "unused?" in as_admin.get("/leases/").content.decode()
    audit.record("guest.console", actor=user, target=web.topic, outcome="opened")
    said = evidence(as_admin)
    assert said["unused"] is False
    assert said["console_at"] is not None


def test_a_busy_one_and_a_new_one_do_not(
    as_admin: Client, web: Guest, lease: Lease
) -> None:
    used(web, 0.5, hours=23)
    assert evidence(as_admin)["unused"] is False
    Rollup.objects.all().delete()
    used(web, 40.0)
    assert evidence(as_admin)["unused"] is False


def test_the_list_is_filtered_and_ordered(
    as_admin: Client, web: Guest, lease: Lease, shop: Project, user: User
) -> None:
    other = Guest.objects.create(uuid=uuid4(), name="db", state="running")
    Lease.objects.create(
        guest=other.pk, guest_name="db", ends_at=timezone.now() + timedelta(days=3)
    )

    def names(query: str) -> list[str]:
        items = as_admin.get(f"{API}?{query}").json()["items"]
        return [each["guest_name"] for each in items]

    assert names("") == ["db", "web"]
    assert names("ordering=-ends_at") == ["web", "db"]
    assert names("state=soon") == ["db"]
    assert names("project=shop") == ["web"]
    assert names("owner=uwe") == ["web"]
    assert names("search=we") == ["web"]
    Lease.objects.filter(guest=other.pk).update(state="ended")
    assert names("") == ["web"]
    assert names("ended=yes") == ["db", "web"]


def test_the_list_costs_a_fixed_number_of_queries(
    as_admin: Client,
    web: Guest,
    lease: Lease,
    shop: Project,
    host: Host,
    django_assert_max_num_queries: Callable[[int], Any],
) -> None:
    for number in range(40):
        guest = Guest.objects.create(
            uuid=uuid4(), name=f"g{number}", state="running", host=host, project=shop
        )
        Lease.objects.create(
            guest=guest.pk, guest_name=guest.name, project=shop, ends_at=lease.ends_at
        )
    with django_assert_max_num_queries(12):
        assert as_admin.get("/leases/").status_code == 200
    with django_assert_max_num_queries(8):
        as_admin.get(API)


def test_those_that_are_chosen_are_extended(
    as_admin: Client, as_user: Client, web: Guest, lease: Lease
) -> None:
    before = lease.ends_at
    typed = {"lease": [lease.pk], "days": 5}
    assert as_admin.post("/leases/extend/?state=soon", typed)["Location"] == (
        "/leases/?state=soon"
    )
    lease.refresh_from_db()
    assert lease.ends_at - before == timedelta(days=5)
    assert as_user.post("/leases/extend/", typed).status_code == 403
    assert as_admin.post("/leases/extend/", {"days": 5}).status_code == 302


def test_its_end_is_typed(as_admin: Client, web: Guest, lease: Lease) -> None:
    path = f"/leases/{lease.pk}/"
    assert as_admin.get(path).status_code == 200
    typed = {"ends_at": "2031-02-03", "keeps_days": 9}
    assert as_admin.post(path, typed).status_code == 302
    lease.refresh_from_db()
    assert f"{lease.ends_at:%F %T}" == "2031-02-03 23:59:59"
    assert lease.keeps_days == 9
    late = as_admin.post(path, typed | {"ends_at": "2999-01-01"})
    assert late.status_code == 422


def test_a_hold_is_shown_and_ended(
    as_admin: Client, as_operator: Client, lease: Lease
) -> None:
    now = timezone.now()
    Looking.objects.create(pk=Looking.THE, since=now, last_at=now, held=True)
    assert "Leases wait." in as_operator.get("/leases/").content.decode()
    assert as_operator.post("/leases/go-on/").status_code == 403
    assert as_admin.post("/api/v1/leases/go-on/").status_code == 204
    assert as_admin.post("/api/v1/leases/go-on/").status_code == 409
    assert "Leases wait." not in as_admin.get("/leases/").content.decode()


def test_a_guest_is_lent_by_those_who_decide(
    as_operator: Client, as_user: Client, web: Guest
) -> None:
    body = {"guest": str(web.pk), "days": 5}
    kind = "application/json"
    assert as_user.post(API, body, content_type=kind).status_code == 403
    said = as_operator.post(API, body, content_type=kind)
    assert said.status_code == 201, said.content
    assert said.json()["state"] == "running"
    assert as_operator.post(API, body, content_type=kind).status_code == 409
    body["guest"] = str(uuid4())
    assert as_operator.post(API, body, content_type=kind).status_code == 404
