"""The same Idempotency-Key gets the same answer, and does its work once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client

from guests.models import Guest
from hosts.models import Host
from kvmweb.operations import idempotency
from kvmweb.operations.models import IdempotencyKey, Operation

pytestmark = pytest.mark.django_db


@pytest.fixture
def off(db: None, user: Any) -> Guest:
    """A guest of the user's that can be started."""
    host = Host.objects.create(name="kvm-1", transport="test", state="up")
    return Guest.objects.create(
        uuid=uuid4(), name="web-1", state="shutoff", host=host, owner=user
    )


def _start(client: Client, guest: Guest, key: str, action: str = "start") -> Any:
    return client.post(
        f"/api/v1/guests/{guest.pk}/{action}/", headers={"Idempotency-Key": key}
    )


def test_it_is_answered_again_without_being_done_again(
    as_user: Client, off: Guest
) -> None:
    first = _start(as_user, off, "k")
    again = _start(as_user, off, "k")
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json() == first.json()
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert Operation.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_twenty_at_once_are_one(
    user: Any,
    off: Guest,
    user_token: str,
    by_token: Callable[[str], Client],
) -> None:
    def ask(_: int) -> Any:
        try:
            return _start(by_token(user_token), off, "twenty")
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as crowd:
        answers = list(crowd.map(ask, range(20)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert Operation.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_at_once_without_a_key_are_told_of_each_other(
    user: Any,
    off: Guest,
    user_token: str,
    by_token: Callable[[str], Client],
) -> None:
    def ask(_: int) -> Any:
        try:
            return by_token(user_token).post(f"/api/v1/guests/{off.pk}/start/")
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as both:
        answers = sorted(both.map(ask, range(2)), key=lambda it: it.status_code)
    assert [answer.status_code for answer in answers] == [202, 409]
    assert answers[1].json()["operation"] == answers[0].json()["id"]
    assert answers[0].json()["id"] in answers[1].json()["detail"]


def test_the_same_key_with_another_request_is_refused(
    as_user: Client, as_operator: Client, off: Guest
) -> None:
    assert _start(as_user, off, "k").status_code == 202
    other = _start(as_user, off, "k", "force-off")
    assert other.status_code == 422
    assert "another request" in other.json()["detail"]
    # The same key of somebody else is another key.
    assert _start(as_operator, off, "k").status_code == 409


def test_a_refused_request_leaves_its_key_free(as_user: Client, off: Guest) -> None:
    Guest.objects.update(state="running")
    assert _start(as_user, off, "k").status_code == 409
    Guest.objects.update(state="shutoff")
    assert _start(as_user, off, "k").status_code == 202


@pytest.mark.parametrize("key", ["", "x" * 201, "a\tb"])
def test_a_key_that_is_none_is_refused(as_user: Client, off: Guest, key: str) -> None:
    assert _start(as_user, off, key).status_code == 422
    assert not Operation.objects.exists()


def test_an_answer_with_a_secret_is_not_kept(
    as_user: Client, off: Guest, user: Any
) -> None:
    screen = [{"kind": "vnc", "port": 5900, "socket": "", "listen": ""}]
    Guest.objects.update(state="running", graphics=screen)
    asked = {
        "path": f"/api/v1/guests/{off.pk}/console/",
        "data": {"kind": "vnc"},
        "content_type": "application/json",
        "headers": {"Idempotency-Key": "secret"},
    }
    ticket = as_user.post(**asked)
    assert ticket.status_code == 200
    assert ticket.json()["websocket_url"] not in str(
        list(IdempotencyKey.objects.values())
    )
    again = as_user.post(**asked)
    assert again.status_code == 409
    assert "held a secret" in again.json()["detail"]


def test_keys_are_forgotten_after_a_day(as_user: Client, off: Guest) -> None:
    _start(as_user, off, "k")
    idempotency.forget()
    assert IdempotencyKey.objects.count() == 1
    IdempotencyKey.objects.update(at="2020-01-01T00:00:00Z")
    idempotency.forget()
    assert not IdempotencyKey.objects.exists()
