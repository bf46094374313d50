"""Who keeps a webhook makes, changes and tests it, reads its log, and nobody its secret."""

import re
from typing import Any

import pytest
from django.db import models
from django.test import Client
from django.utils import timezone

from kvmweb.accounts.models import User
from portal.telling import sending
from portal.telling.models import Delivery, Notice, Webhook
from tests.portal.telling.conftest import WEBHOOKS, Hook, State, Web, say, sent


def test_only_administrators_keep_those_for_everything(
    as_user: Client, as_admin: Client
) -> None:
    body = {"url": "https://example.org/", "for_all": True}
    assert as_user.post(WEBHOOKS, body, "application/json").status_code == 403
    made = as_admin.post(WEBHOOKS, body, "application/json").json()
    assert made["for_all"]
    assert as_user.get(WEBHOOKS).json()["count"] == 0
    assert as_user.get(f"{WEBHOOKS}{made['id']}/").status_code == 404
    assert "for_all" not in as_user.get("/webhooks/new/").content.decode()


def test_the_secret_and_the_address_are_shown_to_nobody_again(
    user: User, as_user: Client
) -> None:
    url = "https://chat.example.org/hooks/T0P-S3CRET"
    made = as_user.post(WEBHOOKS, {"url": url}, "application/json")
    assert made.status_code == 201
    secret = made.json()["secret"]
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/=]{44}", secret)
    pk = made.json()["id"]
    renewed = as_user.post(f"{WEBHOOKS}{pk}/secret/").json()["secret"]
    assert renewed != secret
    told = "".join(
        as_user.get(path).content.decode()
        for path in (
            WEBHOOKS,
            f"{WEBHOOKS}{pk}/",
            f"/webhooks/{pk}/",
            f"/webhooks/{pk}/edit/",
            "/account/notices/",
        )
    )
    rows = _everything()
    for hidden in (secret, renewed, "T0P-S3CRET"):
        assert hidden not in told
        assert hidden not in rows


def _everything() -> str:
    """Every row of ours and of the audit record, as a thief would read them."""
    from kvmweb.accounts.models import AuditEntry

    kept: list[type[models.Model]] = [Webhook, Delivery, Notice, AuditEntry]
    return repr([list(kind._default_manager.values_list()) for kind in kept])


def test_a_secret_made_on_the_page_is_shown_this_once(
    user: User, as_user: Client
) -> None:
    typed = {"url": "https://example.org/x", "events": ["lease.ending"]}
    made = as_user.post("/webhooks/new/", typed)
    assert "no-store" in made["Cache-Control"]
    assert "whsec_" in made.content.decode()
    hook = Webhook.objects.get()
    assert (hook.user, hook.events, hook.name) == (
        user,
        ["lease.ending"],
        "https://example.org",
    )
    kept = {"name": "chat", "url": "", "events": [], "active": "on"}
    answer = as_user.post(f"/webhooks/{hook.pk}/edit/", kept)
    assert answer.status_code == 302
    sealed = hook.sealed_url
    hook.refresh_from_db()
    assert (hook.name, hook.events, hook.sealed_url) == ("chat", [], sealed)


def test_it_hears_only_of_what_it_is_for(
    user: User, operator: User, hook_of: Hook, web: Web
) -> None:
    hook_of(user, "/some", events=["lease.ending"])
    say(user)
    say(operator, event="lease.ending")
    assert sent() == []
    say(user, event="lease.ending")
    assert [it.event for it in sent()] == ["lease.ending"]


@pytest.mark.parametrize("path", ["", "test/", "secret/", "deliveries/"])
def test_anothers_an_invented_and_a_huge_id_read_the_same(
    path: str, operator: User, hook_of: Hook, as_user: Client
) -> None:
    foreign = hook_of(operator).pk
    ask = as_user.get if path in ("", "deliveries/") else as_user.post
    answers = [ask(f"{WEBHOOKS}{pk}/{path}") for pk in (foreign, foreign + 1, 2**70)]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.json()["detail"] for answer in answers}) == 1


def test_its_log_says_what_was_answered_and_sends_again(
    user: User, as_user: Client, hook_of: Hook, web: Web
) -> None:
    hook = hook_of(user, "/hook")
    assert as_user.post(f"/webhooks/{hook.pk}/test/").status_code == 302
    web.answers["/hook"] = 500
    for _ in range(sending.TRIES):
        (delivery,) = sent()
    assert delivery.state == State.FAILED
    (shown,) = as_user.get(f"{WEBHOOKS}{hook.pk}/deliveries/").json()["items"]
    assert (shown["state"], shown["answer_code"], shown["attempts"]) == (
        "failed",
        500,
        sending.TRIES,
    )
    page = as_user.get(f"/webhooks/{hook.pk}/").content.decode()
    assert "It answered 500." in page
    web.answers["/hook"] = 200
    again = f"/webhooks/{hook.pk}/deliveries/{delivery.pk}/again/"
    assert as_user.post(again).status_code == 302
    assert sorted(it.state for it in sent()) == ["failed", "sent"]
    assert len({call.headers["webhook-id"] for call in web.calls}) == 2


def test_the_log_costs_as_much_for_many_as_for_few(
    user: User, as_user: Client, hook_of: Hook, django_assert_max_num_queries: Any
) -> None:
    hook = hook_of(user)
    for number in range(40):
        say(user, title=f"{number}")
    # session, person, memberships, webhook, count, page
    with django_assert_max_num_queries(6):
        as_user.get(f"/webhooks/{hook.pk}/")


def test_one_that_fails_for_days_is_switched_off_and_its_keeper_told(
    user: User, as_user: Client, hook_of: Hook, web: Web
) -> None:
    hook = hook_of(user, "/hook")
    web.answers["/hook"] = 500
    say(user)
    say(user, title="another")
    sent()
    since = timezone.now() - sending.PATIENCE
    Webhook.objects.update(failing_since=since)
    assert [it.state for it in sent()] == ["cancelled", "cancelled"]
    hook.refresh_from_db()
    assert not hook.active
    assert "It answered 500." in hook.off_reason
    told = Notice.objects.get(event="webhook.off")
    assert (told.user, told.page) == (user, f"/webhooks/{hook.pk}/")
    count = len(web.calls)
    say(user, title="later")
    assert len(sent()) == 2
    assert len(web.calls) == count
    assert as_user.post(f"{WEBHOOKS}{hook.pk}/test/").status_code == 409
    on = as_user.patch(f"{WEBHOOKS}{hook.pk}/", {"active": True}, "application/json")
    assert (on.json()["active"], on.json()["failing_since"]) == (True, None)


def test_one_that_says_it_is_gone_is_switched_off_at_once(
    admin: User, hook_of: Hook, web: Web
) -> None:
    hook_of(admin, "/hook", for_all=True)
    web.answers["/hook"] = 410
    say()
    assert [it.state for it in sent()] == ["failed"]
    assert not Webhook.objects.get().active
    assert Notice.objects.get(event="webhook.off").user == admin


def test_it_goes_with_its_log(user: User, as_user: Client, hook_of: Hook) -> None:
    hook = hook_of(user)
    say(user)
    assert as_user.delete(f"{WEBHOOKS}{hook.pk}/").status_code == 204
    assert not Delivery.objects.exists()
    assert sent() == []
