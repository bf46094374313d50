"""Somebody is told: on the page below the bell, in the ways they chose, nobody else."""

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from kvmweb.accounts.models import User
from portal.telling.events import EVENTS, Way
from portal.telling.models import Delivery, Notice
from portal.telling.services import choose, tell
from tests.portal.telling.conftest import Hook, Postbox

NOTICES = "/api/v1/notices/"


def say(*people: User, event: str = "request.ready", **words: Any) -> None:
    """Tell them that something is ready."""
    told = {"title": "web-1 is ready", "text": "It runs.", "page": "/guests/"} | words
    tell(event, people, **told)


def test_each_person_is_told_once_and_sees_only_their_own(
    user: User, operator: User, as_user: Client, as_operator: Client
) -> None:
    say(user, user, operator)
    say(operator, title="db-1 is ready")
    (mine,) = as_user.get(f"{NOTICES}?unread=true").json()["items"]
    assert (mine["title"], mine["page"], mine["read_at"]) == (
        "web-1 is ready",
        "/guests/",
        None,
    )
    assert as_operator.get(NOTICES).json()["count"] == 2
    page = as_user.get("/notices/").content.decode()
    assert "web-1 is ready" in page
    assert "db-1" not in page


def test_who_may_not_sign_in_is_told_nothing(disabled: User) -> None:
    say(disabled)
    assert not Notice.objects.exists()


def test_what_was_undone_was_told_to_nobody(user: User, postbox: Postbox) -> None:
    with transaction.atomic():
        say(user)
        transaction.set_rollback(True)
    assert not Notice.objects.exists()
    assert not Delivery.objects.exists()


def test_following_a_notice_reads_it(user: User, as_user: Client) -> None:
    say(user)
    notice = Notice.objects.get()
    answer = as_user.post(f"/notices/{notice.pk}/")
    assert answer["Location"] == "/guests/"
    assert as_user.get(f"{NOTICES}?unread=true").json()["count"] == 0


def test_a_notice_is_read_by_the_api_and_all_of_them_at_once(
    user: User, as_user: Client
) -> None:
    for number in range(3):
        say(user, title=f"{number}")
    first = Notice.objects.first()
    assert first is not None
    answer = as_user.post(f"{NOTICES}{first.pk}/read/")
    assert answer.json()["read_at"] is not None
    assert as_user.post(f"{NOTICES}read/").json() == {"read": 2}
    assert as_user.post(f"{NOTICES}read/").json() == {"read": 0}


def test_anothers_notice_an_invented_and_a_deleted_one_read_the_same(
    operator: User, as_user: Client
) -> None:
    say(operator)
    foreign = Notice.objects.get().pk
    answers = [
        as_user.post(f"{NOTICES}{pk}/read/") for pk in (foreign, foreign + 1, 2**70)
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.json()["detail"] for answer in answers}) == 1
    assert Notice.objects.get().read_at is None


def test_a_token_for_one_project_hears_nothing_of_the_others(
    user: User, token_of: Callable[..., str], by_token: Callable[[str], Client]
) -> None:
    from kvmweb.accounts.models import Member, Project

    project = Project.objects.create(name="web")
    Member.objects.create(project=project, user=user)
    say(user)
    client = by_token(token_of(user, project=project))
    for path in (NOTICES, "/api/v1/webhooks/", f"{NOTICES}wishes/"):
        assert client.get(path).status_code == 403, path


def test_each_event_comes_in_the_ways_that_were_ticked(
    user: User, as_user: Client, postbox: Postbox, hook_of: Hook
) -> None:
    user.email = "uwe@example.org"
    user.save()
    hook_of(user)
    page = as_user.get("/account/notices/").content.decode()
    assert page.count(" checked") == sum(2 + it.mail for it in EVENTS.values())
    ticked = ["request.ready mail", "lease.ending page", "lease.ending webhook"]
    as_user.post("/account/notices/", {"tell": ticked})
    say(user)
    say(user, event="lease.ending")
    say(user, event="lease.stopped")
    assert [it.event for it in Notice.objects.all()] == ["lease.ending"]
    ways = Delivery.objects.order_by("way").values_list("event", "way")
    assert list(ways) == [("request.ready", "mail"), ("lease.ending", "webhook")]
    page = as_user.get("/account/notices/").content.decode()
    assert page.count(" checked") == len(ticked)


def test_the_api_changes_only_the_ways_it_names(user: User, as_user: Client) -> None:
    body = {"items": [{"event": "request.ready", "mail": False}]}
    answer = as_user.patch(f"{NOTICES}wishes/", body, "application/json")
    ready = next(it for it in answer.json() if it["event"] == "request.ready")
    assert (ready["page"], ready["mail"], ready["webhook"]) == (True, False, True)


def test_nobody_without_an_address_is_written_to(user: User, postbox: Postbox) -> None:
    say(user)
    assert not Delivery.objects.exists()


def test_without_a_mail_server_nothing_waits_for_one(user: User, settings: Any) -> None:
    settings.SMTP_URL = ""
    user.email = "uwe@example.org"
    user.save()
    say(user)
    assert not Delivery.objects.exists()


def test_telling_costs_the_same_for_one_and_for_thirty(
    django_assert_num_queries: Any, postbox: Postbox, hook_of: Hook, user: User
) -> None:
    people = [User.objects.make(f"p{n}") for n in range(30)]
    User.objects.update(email="somebody@example.org")
    for person in people:
        person.refresh_from_db()
    hook_of(people[3])
    choose(people[4], {("request.ready", Way.MAIL): False})
    for few in (people[:1], people):
        with django_assert_num_queries(6):  # two of them begin and end
            say(*few)


@pytest.mark.parametrize("path", ["/notices/", "/notices/drawer/"])
def test_a_long_list_costs_as_much_as_a_short_one(
    path: str, user: User, as_user: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(40):
        say(user, title=f"{number}")
    # session, person, memberships, count, page
    with django_assert_max_num_queries(5):
        as_user.get(path)


def test_whatever_people_are_told_of_can_be_chosen() -> None:
    said = {
        call.args[0].value
        for path in Path("portal").rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id in ("tell", "_tell")
        and call.args
        and isinstance(call.args[0], ast.Constant)
    }
    assert "lease.ending" in said
    assert said <= EVENTS.keys()


def test_words_of_others_are_text(user: User, as_user: Client) -> None:
    say(user, title="<img src=x onerror=alert(1)>", text="<b>bold</b>")
    page = as_user.get("/notices/").content.decode()
    assert "<img" not in page
    assert "<b>bold" not in page
