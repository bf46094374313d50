"""A webhook is called, signed, until it answers; and never where it must not reach."""

import base64
import hashlib
import hmac
import socket
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from kvmweb.accounts.models import User
from kvmweb.errors import Invalid
from portal.telling import calling, sending
from portal.telling.events import Way
from portal.telling.models import Delivery, Webhook
from tests.portal.telling.conftest import WEBHOOKS, Hook, State, Web, say, sent


def test_it_is_called_with_a_signature_that_fits(
    user: User, hook_of: Hook, web: Web, secret_of: str, settings: Any
) -> None:
    settings.PUBLIC_URL = "https://panel.example.org"
    hook_of(user, "/in?key=1")
    say(user)
    assert web.calls == []  # nothing is sent in a request
    (delivery,) = sent()
    (call,) = web.calls
    assert call.path == "/in?key=1"
    headers = {name.lower(): value for name, value in call.headers.items()}
    ident, moment = headers["webhook-id"], headers["webhook-timestamp"]
    assert abs(int(moment) - timezone.now().timestamp()) < 30
    key = base64.b64decode(secret_of.removeprefix("whsec_"))
    signed = b".".join([ident.encode(), moment.encode(), call.body])
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"
    assert headers["content-type"] == "application/json"
    body = call.json
    assert body.pop("at").endswith("Z")
    assert body == {
        "id": ident,
        "event": "request.ready",
        "title": "web-1 is ready",
        "text": "web-1 is ready\nIt runs.\nhttps://panel.example.org/requests/5/",
        "message": "It runs.",
        "page": "https://panel.example.org/requests/5/",
        "data": {"request": 5, "guest": "0b5a"},
    }
    assert (delivery.state, delivery.answer_code, delivery.attempts) == ("sent", 200, 1)


def test_words_of_others_wake_no_whole_chat(
    user: User, hook_of: Hook, web: Web
) -> None:
    hook_of(user)
    say(user, title="<!channel> @all web & db")
    sent()
    (call,) = web.calls
    assert "<" not in call.json["text"]
    assert "@all" not in call.json["text"]
    assert call.json["title"] == "<!channel> @all web & db"


def test_it_is_tried_again_with_the_same_id_until_it_answers(
    user: User, hook_of: Hook, web: Web
) -> None:
    hook = hook_of(user, "/hook")
    web.answers["/hook"] = 503
    say(user)
    (delivery,) = sent()
    assert (delivery.state, delivery.answer_code) == ("waiting", 503)
    assert delivery.said == "It answered 503."
    assert timedelta() < delivery.next_at - timezone.now() < timedelta(minutes=1)
    assert len(sent(now=False)) == len(web.calls) == 1  # not yet
    web.answers["/hook"] = 204
    (delivery,) = sent()
    assert (delivery.state, delivery.answer_code, delivery.attempts) == ("sent", 204, 2)
    first, second = (call.headers["webhook-id"] for call in web.calls)
    assert first == second
    hook.refresh_from_db()
    assert (hook.failures, hook.failing_since) == (0, None)


def test_one_that_fails_holds_up_no_other(
    user: User, operator: User, hook_of: Hook, web: Web
) -> None:
    bad = hook_of(user, "/bad")
    hook_of(operator, "/good")
    web.answers["/bad"] = 500
    for number in range(3):
        say(user, operator, title=f"{number}")
    sent(now=False)
    paths = [call.path for call in web.calls]
    assert paths.count("/bad") == 1  # the others rest with it
    assert paths.count("/good") == 3
    bad.refresh_from_db()
    assert bad.not_before is not None


def test_a_redirect_is_not_followed(user: User, hook_of: Hook, web: Web) -> None:
    hook_of(user, "/moved")
    web.answers["/moved"] = 302
    say(user)
    (delivery,) = sent()
    assert delivery.said == "It answered 302. Redirects are not followed."
    assert [call.path for call in web.calls] == ["/moved"]


def test_a_slow_and_an_endless_answer_are_cut_off(
    user: User, hook_of: Hook, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calling, "WHOLE_S", 0.5)
    hook_of(user, "/slow")
    hook_of(user, "/huge")
    say(user)
    begun = timezone.now()
    states = {it.webhook.name: it.state for it in sent() if it.webhook}
    assert timezone.now() - begun < timedelta(seconds=8)
    assert states == {"/slow": "waiting", "/huge": "sent"}


def test_nobody_there_is_said_in_words(user: User, hook_of: Hook, web: Web) -> None:
    hook = hook_of(user)
    from hosts.vault import seal_text

    Webhook.objects.filter(pk=hook.pk).update(
        sealed_url=seal_text("http://127.0.0.1:9/")
    )
    say(user)
    (delivery,) = sent()
    assert delivery.said.startswith("127.0.0.1 did not answer: ")


PRIVATE = [
    "http://127.0.0.1/",
    "http://127.1/",
    "http://localhost/",
    "http://0/",
    "http://10.0.0.1:8080/",
    "http://192.168.1.1/",
    "http://172.16.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://100.64.0.1/",
    "http://224.0.0.1/",
    "http://[::1]/",
    "http://[fe80::1]/",
    "http://[fd00::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[2002:7f00:1::]/",
    "http://2130706433/",
    "http://0x7f000001/",
]


@pytest.mark.parametrize("url", PRIVATE)
def test_a_persons_own_reaches_no_private_address(
    url: str, user: User, as_user: Client, hook_of: Hook, settings: Any
) -> None:
    from hosts.vault import seal_text

    hook = hook_of(user)
    settings.WEBHOOK_PRIVATE = False
    Webhook.objects.filter(pk=hook.pk).update(sealed_url=seal_text(url))
    say(user)
    (delivery,) = sent()
    assert delivery.state == State.WAITING
    assert "private network" in delivery.said
    assert delivery.answer_code is None


def test_a_name_is_judged_by_the_address_that_is_then_called(
    user: User, hook_of: Hook, web: Web, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It answers a public address at first and a private one the second time."""
    hook_of(user)
    settings.WEBHOOK_PRIVATE = False
    asked: list[str] = []
    port = int(web.url.rpartition(":")[2])

    def moving(name: str, *_args: Any, **_options: Any) -> list[Any]:
        asked.append(name)
        found = "8.8.8.8" if len(asked) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (found, port))]

    called: list[Any] = []

    def connect(place: Any, *_args: Any) -> Any:
        called.append(place)
        raise ConnectionRefusedError("refused")

    monkeypatch.setattr(socket, "getaddrinfo", moving)
    monkeypatch.setattr(socket, "create_connection", connect)
    Webhook.objects.update(sealed_url=_sealed(f"http://moving.example.org:{port}/"))
    say(user)
    sent()
    assert called == [("8.8.8.8", port)]
    (delivery,) = sent()
    assert "private network" in delivery.said
    assert len(called) == 1


def _sealed(url: str) -> str:
    from hosts.vault import seal_text

    return seal_text(url)


@pytest.mark.parametrize(
    "url",
    [
        *PRIVATE[4:8],
        "ftp://example.org/",
        "https://user:word@example.org/",
        "https://example.org:25/",
        "https://exa mple.org/",
        "example.org",
    ],
)
def test_what_cannot_be_called_is_refused_when_it_is_typed(
    url: str, as_user: Client
) -> None:
    answer = as_user.post(WEBHOOKS, {"url": url}, "application/json")
    assert answer.status_code == 422, url
    assert "url" in answer.json()["errors"]
    page = as_user.post("/webhooks/new/", {"url": url})
    assert page.status_code == 422
    assert not Webhook.objects.exists()


def test_administrators_may_reach_their_own_network(
    admin: User, hook_of: Hook, web: Web, settings: Any
) -> None:
    hook_of(admin, "/all", for_all=True)
    settings.WEBHOOK_PRIVATE = False
    say()  # to nobody: they hear of whatever happens
    assert [it.state for it in sent()] == ["sent"]


def test_many_senders_at_once_send_each_message_once(
    transactional_db: None, web: Web, hook_of: Callable[..., Webhook]
) -> None:
    people = [User.objects.make(f"p{n}") for n in range(4)]
    for person in people:
        hook_of(person, f"/{person.username}")
    for number in range(5):
        say(*people, title=f"{number}")

    def run() -> None:
        try:
            for _ in range(40):
                sending.send(Way.WEBHOOK)
                if not Delivery.objects.filter(state=State.WAITING).exists():
                    break
        finally:
            connection.close()

    senders = [threading.Thread(target=run) for _ in range(4)]
    for thread in senders:
        thread.start()
    for thread in senders:
        thread.join(60)
    assert set(Delivery.objects.values_list("state", "attempts")) == {("sent", 1)}
    seen = [call.headers["webhook-id"] for call in web.calls]
    assert len(seen) == len(set(seen)) == 20


def test_a_public_address_is_told_from_a_private_one() -> None:
    calling.need_callable("https://hooks.slack.com/services/x", private=False)
    calling.need_callable("https://8.8.8.8:8443/", private=False)
    calling.need_callable("http://10.0.0.1/", private=True)
    with pytest.raises(Invalid):
        calling.need_callable("http://10.0.0.1/", private=False)
