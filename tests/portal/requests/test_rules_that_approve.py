"""Rules: what they approve by themselves, what the person sees before, who may set them."""

from collections.abc import Callable
from typing import Any

import pytest

from hosts.models import Host
from kvmweb.accounts.models import Project, User
from kvmweb.operations.models import Operation
from portal.flavors.models import Flavor
from portal.ledger.models import Charge
from portal.requests.models import ApprovalRule, Request
from portal.requests.ruling import Asked, Ruled
from portal.telling.models import Notice
from tests.portal.requests.conftest import GIB, Api

pytestmark = pytest.mark.usefixtures("kvm1", "small", "large")
Apis = Callable[[User], Api]
ASKED = Asked("new", 1, 1, 2, 2 * GIB, 10 * GIB, 30)


@pytest.mark.parametrize(
    ("about", "fits"),
    [
        ({}, True),
        ({"project": 1}, True),
        ({"project": 2}, False),
        ({"kinds": frozenset({"new"})}, True),
        ({"kinds": frozenset({"extend"})}, False),
        ({"flavors": frozenset({1, 2})}, True),
        ({"flavors": frozenset({2})}, False),
        ({"vcpus": 2}, True),
        ({"vcpus": 1}, False),
        ({"memory_bytes": 2 * GIB}, True),
        ({"memory_bytes": 2 * GIB - 1}, False),
        ({"disk_bytes": GIB}, False),
        ({"lease_days": 29}, False),
    ],
)
def test_a_rule_fits_what_it_names(about: dict[str, Any], fits: bool) -> None:
    assert Ruled(id=1, by_itself=True, **about).fits(ASKED) == fits


def test_what_fits_is_approved_by_itself(
    api: Apis, mia: User, otto: User, web: Project
) -> None:
    ApprovalRule.objects.create(name="small ones", project=web, vcpus=1)
    body = {
        "project": "web",
        "name": "app",
        "flavor": "small",
        "reason": "",
        "lease_days": 3,
    }
    seen = api(mia).post("check/", **body).json()
    assert (seen["approved_by_itself"], seen["rule"]) == (True, "small ones")
    assert (seen["quota_error"], seen["left"]["guests"]) == ("", 4)
    assert not Request.objects.exists()
    told = api(mia).ask().json()
    assert (told["state"], told["decided_by"]) == ("provisioning", "rule: small ones")
    assert Operation.objects.get().requested_by == mia
    assert not Notice.objects.filter(user=otto).exists()
    assert api(mia).ask(name="big", flavor="large").status_code == 409  # 8 of 8 GiB
    assert not Request.objects.filter(name="big").exists()


def test_what_is_larger_waits(api: Apis, mia: User) -> None:
    ApprovalRule.objects.create(name="small ones", vcpus=1)
    seen = api(mia).ask(flavor="large").json()
    assert seen["state"] == "pending"


def test_what_a_rule_approves_and_fits_nowhere_waits_for_a_person(
    api: Apis, mia: User, otto: User
) -> None:
    ApprovalRule.objects.create(name="all")
    Host.objects.update(maintenance=True)
    told = api(mia).ask().json()
    assert told["state"] == "pending"
    events = api(mia).get(f"{told['id']}/").json()["events"]
    assert "There is no room" in events[-1]["why"]
    assert "kvm1" not in str(events)
    assert Charge.objects.count() == 1
    assert Notice.objects.get(user=otto).event == "request.asked"


def test_a_rule_that_is_not_in_force_approves_nothing(api: Apis, mia: User) -> None:
    ApprovalRule.objects.create(name="all", enabled=False)
    assert api(mia).ask().json()["state"] == "pending"


def test_a_rule_may_let_approvers_approve_their_own(api: Apis, otto: User) -> None:
    ApprovalRule.objects.create(name="own", by_itself=False, vcpus=1)
    pk = api(otto).ask().json()["id"]
    assert api(otto).post(f"{pk}/approve/").status_code == 200
    pk = api(otto).ask(name="b", flavor="large").status_code
    assert pk == 409  # the quota; a larger one of their own is not even asked for


def test_a_change_may_fit_a_rule(api: Apis, mia: User) -> None:
    ApprovalRule.objects.create(name="small ones", vcpus=1)
    pk = api(mia).ask(flavor="large").json()["id"]
    told = api(mia).patch(f"{pk}/", flavor="small").json()
    assert told["state"] == "provisioning"


def test_administrators_set_them(
    api: Apis, admin: User, operator: User, mia: User, web: Project, small: Flavor
) -> None:
    body = {
        "name": "small",
        "project": web.pk,
        "flavors": [small.pk],
        "kinds": ["new"],
        "lease_days": 14,
    }
    for person in (operator, mia):
        assert api(person).post("rules/", **body).status_code == 403
    made = api(admin).post("rules/", **body)
    assert made.status_code == 201, made.content
    rule = made.json()
    assert (rule["flavors"], rule["lease_days"]) == ([small.pk], 14)
    for wrong in ({"flavors": [999]}, {"project": 999}, {"kinds": ["x"]}, {"vcpus": 0}):
        answer = api(admin).post("rules/", **(body | wrong))
        assert answer.status_code == 422, wrong
    client = api(admin).client
    path = f"/api/v1/requests/rules/{rule['id']}/"
    told = client.put(path, body | {"enabled": False}, content_type="application/json")
    assert told.json()["enabled"] is False
    assert client.delete(path).status_code == 204
    assert client.delete(path).status_code == 404
