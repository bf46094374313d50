"""The pages: inbox, asking, deciding; what each costs and whom it shows what."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from hosts.models import Host
from kvmweb.accounts.models import Project, User
from kvmweb.operations.models import Operation
from portal.flavors.models import Flavor
from portal.keys.models import SshKey
from portal.ledger import services as ledger
from portal.requests.models import ApprovalRule, Request
from tests.portal.requests.conftest import KEY, Api

pytestmark = pytest.mark.usefixtures("kvm1", "small", "large", "redis_server")
Apis = Callable[[User], Api]


def browser(person: User) -> Client:
    """Somebody's browser."""
    client = Client()
    client.force_login(person)
    return client


def text(answer: Any) -> str:
    assert answer.status_code in (200, 422), answer
    return str(answer.content.decode())


def typed(small: Flavor, **about: Any) -> dict[str, Any]:
    """A request as it is typed."""
    plain = {
        "reason": "For a trial.",
        "flavor": small.pk,
        "name": "app",
        "network": "default",
        "lease_days": 10,
    }
    return plain | about


def test_somebody_asks_and_sees_before_what_will_happen(
    mia: User, web: Project, small: Flavor
) -> None:
    page = browser(mia)
    key = SshKey.objects.create(user=mia, name="mine", text=KEY, fingerprint="f")
    shown = text(page.get(reverse("request-new")))
    assert "Quota of web" in shown
    assert "mine" in shown
    assert "kvm1" not in shown
    body = typed(small, project=web.pk, key=key.pk)
    looked = text(page.post(reverse("request-new"), body | {"preview": "1"}))
    assert "Somebody who decides for web will look at it" in looked
    ApprovalRule.objects.create(name="all")
    looked = text(page.post(reverse("request-new"), body | {"preview": "1"}))
    assert "This will be approved by itself" in looked
    assert not Request.objects.exists()
    ApprovalRule.objects.all().delete()
    done = page.post(reverse("request-new"), body)
    row = Request.objects.get()
    assert done["Location"] == row.get_absolute_url()
    assert row.sealed
    assert "kvm1" not in text(page.get(done["Location"]))


def test_what_was_typed_wrong_stays_typed(mia: User, small: Flavor) -> None:
    answer = browser(mia).post(reverse("request-new"), typed(small, name="No Name"))
    assert answer.status_code == 422
    assert "No Name" in text(answer)
    assert "For a trial." in text(answer)


def test_too_much_is_said_on_the_page(mia: User, small: Flavor, web: Project) -> None:
    ledger.set_quota(web, {"guests": 0})
    answer = text(browser(mia).post(reverse("request-new"), typed(small)))
    assert "0 left" in answer


def test_who_is_in_no_project_is_told_so(user: User) -> None:
    assert "You are in no project" in text(browser(user).get(reverse("request-new")))


def test_it_is_changed_and_taken_back(
    api: Apis, mia: User, large: Flavor, small: Flavor
) -> None:
    cloud = {"ssh_keys": [KEY]}
    row = Request.objects.get(pk=api(mia).ask(cloud_init=cloud).json()["id"])
    page = browser(mia)
    path = reverse("request-edit", args=[row.pk])
    assert "To try something." in text(page.get(path))
    page.post(path, typed(large))
    row.refresh_from_db()
    assert (row.flavor, row.lease_days) == (large, 10)
    assert row.sealed  # nothing was typed: the key stays
    page.post(reverse("request-cancel", args=[row.pk]))
    row.refresh_from_db()
    assert row.state == "cancelled"


def test_an_approver_sees_what_helps_and_decides(
    api: Apis, mia: User, otto: User, operator: User
) -> None:
    row = Request.objects.get(pk=api(mia).ask().json()["id"])
    shown = text(browser(otto).get(row.get_absolute_url()))
    assert "Yes, there is room for it now." in shown
    assert "kvm1" not in shown
    shown = text(browser(operator).get(row.get_absolute_url()))
    assert "It would go to <strong>kvm1</strong>" in shown
    assert "31 GiB of 32 GiB memory are left there" in shown
    path = reverse("request-approve", args=[row.pk])
    more = browser(otto).post(path, {"memory_bytes": "64 GiB"})
    assert more.status_code == 422
    less = browser(otto).post(path, {"memory_bytes": "512 MiB", "note": "Less."})
    assert less.status_code == 302
    row.refresh_from_db()
    assert (row.state, row.memory_bytes) == ("provisioning", 512 * 1024**2)
    shown = text(browser(mia).get(row.get_absolute_url()))
    assert "otto: Less." in shown
    assert "Approved</strong> by otto" in shown


def test_one_rejects_and_decides_about_several(
    api: Apis, mia: User, otto: User
) -> None:
    ids = [api(mia).ask(name=f"m{n}").json()["id"] for n in range(3)]
    page = browser(otto)
    page.post(reverse("request-reject", args=[ids[0]]), {"note": "No."})
    body = {"request": ids[1:], "decision": "approve"}
    done = page.post(reverse("request-decide"), body, follow=True)
    assert "2 decided." in text(done)
    states = Request.objects.order_by("pk").values_list("state", flat=True)
    assert list(states) == ["rejected", "provisioning", "provisioning"]
    assert page.post(reverse("request-decide"), {}).status_code == 302


def test_what_failed_says_so_and_is_tried_again(
    api: Apis, mia: User, otto: User, operator: User
) -> None:
    row = Request.objects.get(pk=api(mia).ask().json()["id"])
    api(otto).post(f"{row.pk}/approve/")
    Operation.objects.update(state="failed", error_message="kvm1 hung up.")
    Request.objects.update(state="failed", failure="It did not work out.")
    shown = text(browser(mia).get(row.get_absolute_url()))
    assert "It did not work out." in shown
    assert "kvm1" not in shown
    assert "kvm1 hung up." in text(browser(operator).get(row.get_absolute_url()))


def test_the_list_shows_everybody_theirs(
    api: Apis, mia: User, otto: User, eve: User, person: Callable[..., User]
) -> None:
    pk = api(mia).ask(name="of-mia").json()["id"]
    for shown_to in (mia, otto):
        assert "of-mia" in text(browser(shown_to).get(reverse("requests")))
    for hidden_from in (eve, person("nina")):
        page = browser(hidden_from)
        assert "of-mia" not in text(page.get(reverse("requests")))
        assert page.get(reverse("request", args=[pk])).status_code == 404
        for verb in ("approve", "reject", "cancel", "retry"):
            path = reverse(f"request-{verb}", args=[pk])
            assert page.post(path).status_code == 404
        body = {"request": [pk], "decision": "approve"}
        assert page.post(reverse("request-decide"), body).status_code == 404
    assert Request.objects.get().state == "pending"


def test_the_inbox_costs_the_same_however_much_waits(
    operator: User,
    mia: User,
    small: Flavor,
    django_assert_max_num_queries: Any,
) -> None:
    page = browser(operator)
    for batch in range(2):
        for number in range(10 + 30 * batch):
            project = Project.objects.create(name=f"p{batch}-{number}")
            row = Request.objects.create(
                project=project,
                requester=mia,
                author="mia",
                name=f"m{batch}-{number}",
                flavor=small,
                vcpus=1,
                memory_bytes=small.memory_bytes,
                disk_bytes=small.disk_bytes,
                network="default",
            )
            ledger.reserve(project, row.topic, row.amounts, row.name)
        with django_assert_max_num_queries(24):
            shown = text(page.get(reverse("requests")))
        assert "on 1 host" in shown
    Host.objects.update(maintenance=True)
    assert "no room" in text(page.get(reverse("requests")))


def test_rules_are_set_on_their_page(admin: User, web: Project, small: Flavor) -> None:
    page = browser(admin)
    body = {"name": "small ones", "by_itself": "on", "enabled": "on"}
    more = {"project": web.pk, "flavors": [small.pk], "memory_bytes": "2 GiB"}
    page.post(reverse("request-rule-new"), body | more)
    rule = ApprovalRule.objects.get()
    assert (rule.project, rule.memory_bytes) == (web, 2 * 1024**3)
    assert "small ones" in text(page.get(reverse("request-rules")))
    path = reverse("request-rule-edit", args=[rule.pk])
    assert "2 GiB" in text(page.get(path))
    page.post(path, {"name": "none", "by_itself": "on"})
    rule.refresh_from_db()
    assert (rule.name, rule.enabled, rule.project) == ("none", False, None)
    page.post(reverse("request-rule-remove", args=[rule.pk]))
    assert not ApprovalRule.objects.exists()
