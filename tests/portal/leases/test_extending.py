"""A lease is extended: by the rule of its project, or by those who decide."""

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from guests.models import Guest
from kvmweb.accounts.models import AuditEntry, Member, Project, User
from portal.leases.models import Lease, Policy
from tests.portal.leases.conftest import DAY

JSON = "application/json"


def extend(client: Client, guest: Guest, days: Any) -> Any:
    """By the API."""
    path = f"/api/v1/guests/{guest.pk}/extend/"
    return client.post(path, {"days": days}, content_type=JSON)


def test_a_rule_lets_members_extend_so_far_and_no_further(
    as_user: Client, web: Guest, lease: Lease, shop: Project
) -> None:
    Policy.objects.create(project=shop, extend_days=10, extend_most_days=25)
    assert extend(as_user, web, 11).status_code == 409
    for _ in range(2):
        said = extend(as_user, web, 10)
        assert said.status_code == 200, said.content
    assert said.json()["extended_days"] == 20
    refused = extend(as_user, web, 10)
    assert refused.status_code == 409
    assert "5 days more" in refused.json()["detail"]
    assert "Ask for more time" in refused.json()["hint"]
    assert extend(as_user, web, 5).status_code == 200
    before = lease.ends_at
    lease.refresh_from_db()
    assert lease.ends_at == before + 25 * DAY
    assert AuditEntry.objects.filter(action="lease.extend", actor="uwe").count() == 3


def test_without_a_rule_they_must_ask(
    as_user: Client, web: Guest, lease: Lease
) -> None:
    refused = extend(as_user, web, 1)
    assert refused.status_code == 409
    assert "without asking" in refused.json()["detail"]


def test_a_viewer_may_not_and_a_stranger_sees_nothing(
    as_user: Client, web: Guest, lease: Lease, shop: Project, user: User
) -> None:
    Policy.objects.create(project=shop, extend_days=10, extend_most_days=25)
    Member.objects.update(role=Member.Role.VIEWER)
    assert extend(as_user, web, 1).status_code == 403
    Member.objects.all().delete()
    assert extend(as_user, web, 1).status_code == 404
    assert as_user.get("/api/v1/leases/").json()["count"] == 0


def test_who_decides_extends_as_they_like(
    as_user: Client, as_operator: Client, web: Guest, lease: Lease, shop: Project
) -> None:
    assert extend(as_operator, web, 100).status_code == 200
    Member.objects.update(role=Member.Role.OWNER)
    assert extend(as_user, web, 100).status_code == 200
    lease.refresh_from_db()
    assert lease.extended_days == 0
    for wrong in (0, -1, 4000, "x", None):
        assert extend(as_operator, web, wrong).status_code == 422


def test_an_overdue_one_is_extended_from_now_on(
    as_operator: Client, web: Guest, lease: Lease
) -> None:
    Lease.objects.update(ends_at=timezone.now() - 9 * DAY)
    extend(as_operator, web, 2)
    lease.refresh_from_db()
    left = lease.ends_at - timezone.now()
    assert 1.9 * DAY < left <= 2 * DAY


def test_a_guest_without_a_lease_has_none_to_extend(
    as_operator: Client, web: Guest
) -> None:
    refused = extend(as_operator, web, 2)
    assert refused.status_code == 409
    assert "no lease" in refused.json()["detail"]


def test_several_at_once(
    as_operator: Client, as_user: Client, web: Guest, lease: Lease
) -> None:
    path = "/api/v1/leases/extend/"
    body = {"leases": [lease.pk], "days": 3}
    said = as_operator.post(path, body, content_type=JSON)
    assert (said.status_code, said.json()) == (200, {"refused": []})
    assert as_user.post(path, body, content_type=JSON).status_code == 403
    body = {"leases": [lease.pk + 1], "days": 3}
    assert as_operator.post(path, body, content_type=JSON).status_code == 404


def test_its_end_is_set_by_who_decides(
    as_operator: Client, as_user: Client, web: Guest, lease: Lease
) -> None:
    path = f"/api/v1/leases/{lease.pk}/"
    body = {"ends_at": "2031-05-01T12:00:00Z", "keeps_days": 3}
    said = as_operator.patch(path, body, content_type=JSON)
    assert said.status_code == 200
    assert said.json()["ends_at"] == "2031-05-01T12:00:00.000Z"
    assert said.json()["keeps_days"] == 3
    assert as_user.patch(path, body, content_type=JSON).status_code == 403
    for wrong in ({"keeps_days": -1}, {"ends_at": "soon"}, {"ends": 1}):
        again = as_operator.patch(path, wrong, content_type=JSON)
        assert again.status_code == 422, wrong


@pytest.mark.parametrize(
    "end",
    [
        *(5, 1_900_000_000, "1900000000", True, None, [], "2031-05-01"),
        *("2031-05-01T12:00:00", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59"),
        *("9999-12-31T23:59:59-23:59", "2999-01-01T00:00:00Z"),
    ],
)
def test_an_end_is_a_text_with_a_zone_not_long_ago_nor_far_away(
    as_operator: Client, lease: Lease, end: Any
) -> None:
    path = f"/api/v1/leases/{lease.pk}/"
    refused = as_operator.patch(path, {"ends_at": end}, content_type=JSON)
    assert refused.status_code == 422, refused.content
    assert "ends_at" in refused.json()["errors"]
    before = lease.ends_at
    lease.refresh_from_db()
    assert lease.ends_at == before


def test_an_end_may_have_been_within_the_last_day(
    as_operator: Client, lease: Lease
) -> None:
    path, now = f"/api/v1/leases/{lease.pk}/", timezone.now()
    for ago, status in ((0.9, 200), (1.1, 422)):
        body = {"ends_at": (now - ago * DAY).isoformat()}
        said = as_operator.patch(path, body, content_type=JSON)
        assert said.status_code == status, said.content
    assert "from a day ago" in said.json()["errors"]["ends_at"][0]
    kept = as_operator.patch(path, {"keeps_days": None}, content_type=JSON)
    assert kept.status_code == 422


def test_rules_are_an_administrators(
    as_admin: Client, as_operator: Client, shop: Project
) -> None:
    path = f"/api/v1/projects/{shop.pk}/lease-rule/"
    usual = as_admin.get(path).json()
    assert usual == {"extend_days": 0, "extend_most_days": 0, "keeps_days": 14}
    wanted = {"extend_days": 7, "extend_most_days": 30, "keeps_days": 2}
    assert as_admin.put(path, wanted, content_type=JSON).json() == wanted
    assert as_admin.get(path).json() == wanted
    assert as_operator.put(path, wanted, content_type=JSON).status_code == 403
    page = as_admin.post(f"/leases/rules/{shop.pk}/", wanted | {"extend_days": 8})
    assert page.status_code == 302
    assert Policy.objects.get().extend_days == 8
