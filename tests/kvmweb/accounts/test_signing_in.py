"""Signing in and out, and how slow guessing is."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from kvmweb.accounts.models import AuditEntry, SignInFailure, User
from tests.conftest import PASSWORD

WRONG = "The user name or the password is wrong."


def _sign_in(client: Client, username: str, password: str, **extra: Any) -> Any:
    typed = {"username": username, "password": password}
    return client.post("/login/", typed | extra.pop("more", {}), **extra)


def test_it_opens_the_house_with_the_right_password(user: User) -> None:
    client = Client()
    answer = _sign_in(client, "uwe", PASSWORD)
    assert (answer.status_code, answer["Location"]) == (302, "/machines/")
    assert client.get("/api/v1/me/").json()["username"] == "uwe"
    entry = AuditEntry.objects.get(action="sign-in")
    assert (entry.actor, entry.outcome, entry.address) == (
        "uwe",
        "succeeded",
        "127.0.0.1",
    )


def test_it_gives_a_new_session_and_hides_its_cookie_from_scripts(user: User) -> None:
    client = Client()
    client.cookies["sessionid"] = "plantedplantedplantedplantedplan"
    answer = _sign_in(client, "uwe", PASSWORD)
    cookie = answer.cookies["sessionid"]
    assert cookie.value != "plantedplantedplantedplantedplan"
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"


def test_it_says_the_same_of_a_wrong_password_and_an_unknown_name(user: User) -> None:
    answers = [_sign_in(Client(), name, "guess guess") for name in ("uwe", "nobody")]
    for answer in answers:
        assert answer.status_code == 422
        assert WRONG in answer.content.decode()
    failed = AuditEntry.objects.filter(action="sign-in", outcome="failed")
    assert {entry.actor for entry in failed} == {"uwe", "nobody"}


def test_it_keeps_out_the_disabled_in_the_same_words(disabled: User) -> None:
    answer = _sign_in(Client(), "dora", PASSWORD)
    assert answer.status_code == 422
    assert WRONG in answer.content.decode()


@pytest.mark.usefixtures("no_time_passes")
@pytest.mark.parametrize("name", ["uwe", "nobody"])
def test_it_makes_guessers_wait_ever_longer(user: User, name: str) -> None:
    for _ in range(5):
        assert _sign_in(Client(), name, "guess guess").status_code == 422
    refused = _sign_in(Client(), name, PASSWORD)
    assert refused.status_code == 429
    first_s = int(refused["Retry-After"])
    assert f"Try again in {first_s} seconds." in refused.content.decode()
    for _ in range(4):
        SignInFailure.objects.create(username=name, address="192.0.2.1")
    later_s = int(_sign_in(Client(), name, PASSWORD)["Retry-After"])
    assert later_s > 8 * first_s
    SignInFailure.objects.update(at=timezone.now() - timedelta(hours=2))
    assert _sign_in(Client(), "uwe", PASSWORD).status_code == 302


@pytest.mark.usefixtures("no_time_passes")
def test_it_makes_an_address_wait_that_tries_many_names(user: User) -> None:
    for number in range(20):
        SignInFailure.objects.create(username=f"n{number}", address="127.0.0.1")
    assert _sign_in(Client(), "uwe", PASSWORD).status_code == 429
    elsewhere = _sign_in(Client(), "uwe", PASSWORD, REMOTE_ADDR="192.0.2.7")
    assert elsewhere.status_code == 302


@pytest.mark.usefixtures("no_time_passes")
def test_it_counts_a_whole_network_of_ipv6_as_one(user: User) -> None:
    for number in range(20):
        SignInFailure.objects.create(username=f"n{number}", address="2001:db8:1:2::")
    answer = _sign_in(Client(), "uwe", PASSWORD, REMOTE_ADDR="2001:db8:1:2::77")
    assert answer.status_code == 429


def test_a_success_forgives_the_failures_before(user: User) -> None:
    for _ in range(4):
        _sign_in(Client(), "uwe", "guess guess")
    assert _sign_in(Client(), "uwe", PASSWORD).status_code == 302
    assert not SignInFailure.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_many_guesses_at_once_are_counted_as_many() -> None:
    User.objects.make("uwe", PASSWORD)
    statuses = []

    def guess() -> None:
        statuses.append(_sign_in(Client(), "uwe", "guess guess").status_code)
        connection.close()

    threads = [threading.Thread(target=guess) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(statuses) == 12
    assert statuses.count(422) <= 6
    assert set(statuses) <= {422, 429}


@pytest.mark.parametrize(
    "after",
    ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "/\\evil"],
)
def test_it_never_leads_to_another_site(user: User, after: str) -> None:
    answer = _sign_in(Client(), "uwe", PASSWORD, more={"next": after})
    assert answer["Location"] == "/machines/"


def test_it_leads_back_to_the_page_that_was_asked_for(user: User) -> None:
    client = Client()
    asked = client.get("/account/?tab=tokens")
    assert asked["Location"] == "/login/?next=/account/%3Ftab%3Dtokens"
    answer = _sign_in(client, "uwe", PASSWORD, more={"next": "/account/?tab=tokens"})
    assert answer["Location"] == "/account/?tab=tokens"


def test_it_is_refused_without_our_own_form(user: User) -> None:
    client = Client(enforce_csrf_checks=True)
    assert _sign_in(client, "uwe", PASSWORD).status_code == 403
    assert client.get("/api/v1/me/").status_code == 401


def test_signing_out_ends_the_session_and_only_by_post(as_user: Client) -> None:
    assert as_user.get("/logout/").status_code == 405
    assert as_user.get("/api/v1/me/").status_code == 200
    assert as_user.post("/logout/")["Location"] == "/login/"
    assert as_user.get("/api/v1/me/").status_code == 401
    assert AuditEntry.objects.filter(action="sign-out", actor="uwe").count() == 1


def test_a_session_ends_where_its_user_is_disabled_and_stays_ended(
    as_user: Client, user: User, as_admin: Client
) -> None:
    for active in (False, True):
        answer = as_admin.patch(
            f"/api/v1/users/{user.pk}/", {"is_active": active}, "application/json"
        )
        assert answer.status_code == 200
        assert as_user.get("/api/v1/me/").status_code == 401


def test_who_forwards_is_believed_only_when_trusted(user: User, settings: Any) -> None:
    forwarded = {"HTTP_X_FORWARDED_FOR": "203.0.113.9, 198.51.100.4"}
    _sign_in(Client(), "uwe", PASSWORD, **forwarded)
    settings.TRUSTED_PROXY = ("127.0.0.0/8",)
    _sign_in(Client(), "uwe", PASSWORD, **forwarded)
    entries = AuditEntry.objects.filter(action="sign-in").order_by("id")
    assert [entry.address for entry in entries] == ["127.0.0.1", "198.51.100.4"]
