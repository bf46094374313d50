"""A ticket for a screen: good once, soon, and for who asked."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from guests import console
from guests.models import ConsoleTicket, Guest
from hosts.models import Host
from kvmweb.accounts.models import AuditEntry, Token
from kvmweb.errors import AppError, Forbidden, NotFound, NotKnown

pytestmark = pytest.mark.django_db


@pytest.fixture
def shown(db: None, user: Any) -> Guest:
    """A running guest of the user's, with a screen and a serial port."""
    return _guest(user, "unix")


def _guest(owner: Any, transport: str) -> Guest:
    host = Host.objects.create(
        name=f"host-{transport}", transport=transport, address="10.0.0.1", state="up"
    )
    screen = {"kind": "vnc", "port": 5900, "socket": "", "listen": "127.0.0.1"}
    return Guest.objects.create(
        uuid=uuid4(),
        name="web-1",
        state="running",
        host=host,
        owner=owner,
        graphics=[screen],
        serial=True,
    )


def _ask(client: Client, guest: Guest, **body: Any) -> Any:
    return client.post(
        f"/api/v1/guests/{guest.pk}/console/", body, content_type="application/json"
    )


def _text(said: Any) -> str:
    return parse_qs(urlsplit(said.json()["websocket_url"]).query)["ticket"][0]


def test_it_names_a_socket_of_the_one_port(as_user: Client, shown: Guest) -> None:
    said = _ask(as_user, shown, kind="vnc")
    assert said.status_code == 200
    assert said.json()["websocket_url"].startswith("ws://testserver/ws/console/?")
    assert said.json()["password"] is None
    assert said.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("body", ["[]", "5", '"x"', "null", "true", '{"a": 1}'])
def test_what_is_no_wish_for_a_screen_is_refused(
    as_user: Client, shown: Guest, body: str
) -> None:
    path = f"/api/v1/guests/{shown.pk}/console/"
    said = as_user.post(path, body, content_type="application/json")
    assert said.status_code == 422, said.content
    assert not ConsoleTicket.objects.exists()


def test_a_remote_screen_gets_a_password_of_its_own(as_user: Client, user: Any) -> None:
    far = _guest(user, "tcp")
    first, second = _ask(as_user, far), _ask(as_user, far)
    passwords = {said.json()["password"] for said in (first, second)}
    assert all(len(password) == 8 for password in passwords)
    assert len(passwords) == 2
    assert console.password_of(_text(first)) == first.json()["password"]


def test_only_a_hash_is_kept(as_user: Client, shown: Guest) -> None:
    said = _ask(as_user, shown)
    text = _text(said)
    rows = str(list(ConsoleTicket.objects.values()))
    rows += str(list(AuditEntry.objects.values()))
    assert text not in rows
    assert as_user.session.session_key not in rows
    assert console.take(text).guest_id == shown.pk


def test_it_is_good_once_and_not_for_long(as_user: Client, shown: Guest) -> None:
    text = _text(_ask(as_user, shown))
    console.take(text)
    with pytest.raises(NotKnown):
        console.take(text)
    old = _text(_ask(as_user, shown))
    late = timezone.now() - timedelta(seconds=1)
    made = timezone.now() + timedelta(seconds=31)
    row = ConsoleTicket.objects.get(digest=console.digest(old))
    assert row.expires_at < made
    ConsoleTicket.objects.filter(pk=row.pk).update(expires_at=late)
    with pytest.raises(NotKnown):
        console.take(old)


@pytest.mark.django_db(transaction=True)
def test_of_a_hundred_at_once_one_wins(as_user: Client, shown: Guest) -> None:
    text = _text(_ask(as_user, shown))

    def take(_: int) -> bool:
        try:
            console.take(text)
        except NotKnown:
            return False
        else:
            return True
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as crowd:
        assert sum(crowd.map(take, range(100))) == 1


def test_it_is_for_the_session_that_asked(
    as_user: Client, user: Any, operator: Any, shown: Guest
) -> None:
    text = _text(_ask(as_user, shown))
    key = as_user.session.session_key
    assert console.peek(text, session_key=key, who=user).guest == shown
    for session_key, who in [
        ("", None),  # no cookie
        ("another-session", user),
        (key, operator),
        (key, None),  # signed out meanwhile
    ]:
        with pytest.raises(NotKnown):
            console.peek(text, session_key=session_key, who=who)


def test_a_tokens_ticket_needs_no_cookie_but_minds_a_wrong_one(
    user: Any,
    operator: Any,
    shown: Guest,
    user_token: str,
    by_token: Callable[[str], Client],
) -> None:
    text = _text(_ask(by_token(user_token), shown))
    ticket = console.peek(text, session_key="", who=None)
    console.peek(text, session_key="s", who=user)
    with pytest.raises(NotKnown):
        console.peek(text, session_key="s", who=operator)
    console.need_still(ticket, None)
    Token.objects.update(revoked_at=timezone.now())
    with pytest.raises(NotKnown):
        console.need_still(ticket, None)


def test_the_right_is_asked_again(
    as_user: Client, user: Any, operator: Any, shown: Guest
) -> None:
    text = _text(_ask(as_user, shown))
    ticket = console.peek(text, session_key=as_user.session.session_key, who=user)
    console.need_still(ticket, user)
    with pytest.raises(NotKnown):
        console.need_still(ticket, None)
    Guest.objects.filter(pk=shown.pk).update(owner=operator)
    with pytest.raises(NotFound):
        console.need_still(ticket, user)
    user.is_active = False
    user.save()
    with pytest.raises(Forbidden):
        console.need_still(ticket, user)


def test_who_may_not_see_the_guest_gets_none(
    as_user: Client, operator: Any, shown: Guest
) -> None:
    Guest.objects.update(owner=operator)
    assert _ask(as_user, shown).status_code == 404
    assert not ConsoleTicket.objects.exists()


@pytest.mark.parametrize(
    ("column", "value", "kind", "words"),
    [
        ("state", "shutoff", "vnc", "Start it first"),
        ("graphics", [], "vnc", "no VNC screen"),
        ("graphics", [{"kind": "spice"}], "vnc", "no VNC screen"),
        ("serial", False, "serial", "no serial port"),
    ],
)
def test_it_says_why_there_is_nothing_to_show(
    as_user: Client, shown: Guest, column: str, value: Any, kind: str, words: str
) -> None:
    Guest.objects.update(**{column: value})
    said = _ask(as_user, shown, kind=kind)
    assert said.status_code == 409
    assert words in str(said.json())


def test_a_serial_port_is_not_for_looking_only(as_user: Client, shown: Guest) -> None:
    assert _ask(as_user, shown, kind="serial", view_only=True).status_code == 422
    assert _ask(as_user, shown, kind="x").status_code == 422


def test_a_read_only_token_opens_no_screen(
    user: Any,
    shown: Guest,
    token_of: Callable[..., str],
    by_token: Callable[[str], Client],
) -> None:
    reader = by_token(token_of(user, scope="read"))
    assert _ask(reader, shown).status_code == 403


def test_why_no_screen_came_is_written_down(as_user: Client, shown: Guest) -> None:
    text = _text(_ask(as_user, shown))
    ticket = console.take(text)
    console.failed(ticket, AppError("It hangs.", hint="Wait."))
    assert console.problem_of(ticket) == "It hangs. Wait."
