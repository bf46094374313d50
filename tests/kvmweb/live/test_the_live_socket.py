"""Listening: who may, what comes, how quickly, and what happens when something breaks."""

import json
import socket
import time
from collections.abc import Callable

import pytest
from django.conf import settings
from django.db import transaction
from django.test import Client
from websockets.exceptions import ConnectionClosed, InvalidStatus

from kvmweb.accounts.models import Token, User
from kvmweb.live import consumer, news
from kvmweb.operations.json import operation_json
from kvmweb.operations.models import Operation
from tests.kvmweb.live.conftest import Ears

Listen = Callable[..., Ears]


def closed_with(ears: Ears, seconds: float = 15) -> int:
    """The code the server closes with."""
    try:
        while True:
            ears.socket.recv(timeout=seconds)
    except ConnectionClosed as ended:
        return ended.rcvd.code if ended.rcvd else 0


def test_nobody_hears_nothing(listen: Listen) -> None:
    assert closed_with(listen()) == 4401


def test_a_made_up_token_hears_nothing(listen: Listen) -> None:
    assert closed_with(listen(token="kvw_made_up")) == 4401


def test_another_site_is_refused(listen: Listen, as_admin: Client) -> None:
    with pytest.raises(InvalidStatus) as refused:
        listen(as_admin, origin="http://evil.example")
    assert refused.value.response.status_code == 403


def test_a_token_hears(
    listen: Listen, token_of: Callable[..., str], admin: User
) -> None:
    ears = listen(token=token_of(admin))
    ears.subscribe("guests")


def test_news_comes_within_a_moment_and_in_order(ears: Ears) -> None:
    waits = []
    for number in range(100):
        begun = time.monotonic()
        news.publish("guests", "state", {"number": number})
        message = ears.next("state")
        waits.append(time.monotonic() - begun)
        assert message["data"] == {"number": number}
        assert message["topic"] == "guests"
        assert message["at"].endswith("Z")
    assert sorted(waits)[94] < 0.03


def test_every_message_has_the_next_number(ears: Ears) -> None:
    news.publish_many([("guests", "state", {"n": n}) for n in range(20)])
    numbers = [ears.next("state")["seq"] for _ in range(20)]
    assert numbers == list(range(numbers[0], numbers[0] + 20))


def test_news_waits_for_the_commit(ears: Ears) -> None:
    with transaction.atomic():
        news.publish("guests", "state", {"late": True})
        with pytest.raises(TimeoutError):
            ears.next("state", seconds=0.3)
    assert ears.next("state")["data"] == {"late": True}


def test_what_is_rolled_back_is_no_news(ears: Ears) -> None:
    with transaction.atomic():
        news.publish("guests", "state", {"never": True})
        transaction.set_rollback(True)
    news.publish("guests", "state", {"after": True})
    assert ears.next("state")["data"] == {"after": True}


def test_an_unknown_topic_and_a_foreign_one_read_the_same(
    listen: Listen, as_user: Client
) -> None:
    ears = listen(as_user)
    said = []
    for name in ("hosts", "invented", "guest:1"):
        ears.say(subscribe=[name])
        message = ears.next("error")
        assert message["topic"] == name
        said.append(message["data"])
    assert said[0] == said[1] == said[2]
    ears.subscribe("guests")  # the socket stays


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "7", '"x"', '{"subscribe": 7}', '{"subscribe": [7]}', "[" * 9999],
)
def test_nonsense_is_answered_and_the_socket_stays(ears: Ears, text: str) -> None:
    ears.socket.send(text)
    assert ears.next("error")["data"]["code"] == "invalid"
    ears.subscribe("hosts")


def test_a_giant_message_ends_it(ears: Ears) -> None:
    ears.socket.send(json.dumps({"subscribe": ["x" * 100_000]}))
    assert closed_with(ears) == 1009


def test_one_socket_listens_to_two_hundred_topics(ears: Ears) -> None:
    ears.say(subscribe=[f"invented:{number}" for number in range(250)])
    errors = [ears.next("error")["data"]["message"] for _ in range(250)]
    assert sum("at most 200" in said for said in errors) == 52  # it has two


def test_what_is_unsubscribed_is_not_heard(ears: Ears) -> None:
    ears.say(unsubscribe=["guests"], subscribe=["hosts"])
    ears.next("subscribed")
    news.publish("guests", "state", {"for": "nobody"})
    news.publish("hosts", "state", {"for": "us"})
    assert ears.next("state")["data"] == {"for": "us"}


def test_a_disabled_person_is_cut_off_at_once(ears: Ears, admin: User) -> None:
    User.objects.filter(pk=admin.pk).update(is_active=False)
    news.rights_changed(admin.pk)
    begun = time.monotonic()
    assert closed_with(ears) == 4403
    assert time.monotonic() - begun < 2


def test_a_revoked_token_is_noticed_by_itself(
    listen: Listen, token_of: Callable[..., str], admin: User
) -> None:
    ears = listen(token=token_of(admin))
    ears.subscribe("guests")
    Token.objects.all().delete()
    assert closed_with(ears) == 4403


def test_a_right_taken_away_ends_its_topics_only(ears: Ears, admin: User) -> None:
    ears.subscribe("hosts")
    User.objects.filter(pk=admin.pk).update(role="user")
    news.rights_changed(admin.pk)
    assert ears.next("error")["topic"] == "hosts"
    news.publish("hosts", "state", {"for": "others"})
    theirs = operation_json(Operation(kind="guest.start", author="anna"), [])
    news.publish("operations", "operation", theirs)
    assert ears.next("state", "operation")["topic"] == "operations"


def test_who_cannot_keep_up_is_let_go_and_others_hear_on(
    ears: Ears, server: str, as_admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "SEND_S", 1.0)
    with deaf(server, as_admin) as socket:
        for number in range(400):  # 40 MB: more than all buffers between us
            said = {"number": number, "filling": "x" * 100_000}
            news.publish("guests", "state", said)
            assert ears.next("state")["data"]["number"] == number
        socket.settimeout(15)
        heard = 0
        while part := socket.recv(1 << 20):  # until the server has closed it
            heard += len(part)
    assert heard < 20_000_000


def deaf(server: str, browser: Client) -> socket.socket:
    """A listener to guests that never reads; a client library would read ahead."""
    host, _, port = server.partition(":")
    opened = socket.create_connection((host, int(port)), 10)
    session = browser.cookies[settings.SESSION_COOKIE_NAME].value
    lines = (
        "GET /ws/live/ HTTP/1.1",
        f"Host: {server}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        f"Cookie: {settings.SESSION_COOKIE_NAME}={session}",
    )
    opened.sendall("\r\n".join([*lines, "", ""]).encode())
    assert b" 101 " in opened.recv(4096)
    wish = b'{"subscribe": ["guests"]}'
    opened.sendall(bytes([0x81, 0x80 | len(wish), 0, 0, 0, 0]) + wish)
    assert b"subscribed" in opened.recv(4096)
    return opened


def test_a_late_subscriber_hears_what_it_missed(
    ears: Ears, listen: Listen, as_admin: Client
) -> None:
    news.publish("guests", "state", {"number": 1})
    since = ears.next("state")["at"]
    time.sleep(0.002)  # times on the wire have milliseconds
    news.publish("guests", "state", {"number": 2})
    ears.next("state")
    late = listen(as_admin)
    late.say(subscribe=["guests"], since=since)
    assert late.next("state", "resync")["data"] == {"number": 2}


def test_who_missed_too_much_is_told_to_ask_again(
    ears: Ears, listen: Listen, as_admin: Client
) -> None:
    old = listen(as_admin)
    old.say(subscribe=["guests"], since="2020-01-01T00:00:00.000Z")
    old.next("resync")
