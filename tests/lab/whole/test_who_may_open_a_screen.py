"""Who may open a screen, how long, and what is written down of it."""

import time
import urllib.parse
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection
from websockets.typing import Origin

from deploy.product import PASSWORD, Product
from tests.lab.whole.screens import Browser, need_refused, socket_to, ticket_for
from tests.waiting import until

pytestmark = pytest.mark.lab
GONE_S = 10


def _code_at_end(client: ClientConnection, seconds: float) -> int:
    until_then = time.monotonic() + seconds
    with pytest.raises(ConnectionClosed) as closed:
        _read_until(client, until_then)
    assert closed.value.rcvd
    return closed.value.rcvd.code


def _read_until(client: ClientConnection, until_then: float) -> None:
    while True:
        client.recv(max(0, until_then - time.monotonic()))


def test_a_ticket_opens_one_screen_however_many_try(
    product: Product, near: UUID
) -> None:
    url = ticket_for(product, near)["websocket_url"]

    def opened(_: int) -> bool:
        try:
            with socket_to(url, open_timeout=60) as client:
                assert client.recv(5) == b"RFB 003.008\n"
        except InvalidStatus:
            return False
        else:
            return True

    with ThreadPoolExecutor(25) as crowd:
        assert sum(crowd.map(opened, range(100))) == 1
    need_refused(url)


def test_another_site_another_person_or_nobody_cannot_use_it(
    product: Product, near: UUID
) -> None:
    anna = Browser(product, "admin", PASSWORD)
    product.call(
        "POST",
        "users/",
        {"username": "mallory", "role": "admin", "password": "another-long-word"},
    )
    mallory = Browser(product, "mallory", "another-long-word")
    url = anna.ticket(near)
    need_refused(url)
    need_refused(url, additional_headers=mallory.headers)
    evil = Origin("https://evil.example")
    need_refused(url, additional_headers=anna.headers, origin=evil)
    own = Origin(product.url)
    with socket_to(url, additional_headers=anna.headers, origin=own) as screen:
        assert screen.recv(5) == b"RFB 003.008\n"
    # A ticket asked for with a token is for programs; a stranger's cookie spoils it.
    by_token = ticket_for(product, near)["websocket_url"]
    need_refused(by_token, additional_headers=mallory.headers)


def test_a_ticket_ends_with_the_session_and_after_31_seconds(
    product: Product, near: UUID
) -> None:
    anna = Browser(product, "admin", PASSWORD)
    url, headers = anna.ticket(near), anna.headers
    old = ticket_for(product, near)["websocket_url"]
    begun = time.monotonic()
    anna.post("/logout/")
    need_refused(url, additional_headers=headers)
    time.sleep(31 - (time.monotonic() - begun))  # its very life
    need_refused(old)


@pytest.mark.parametrize("by", ["disabling", "signing out", "revoking"])
def test_a_right_taken_away_ends_the_screen(
    product: Product, near: UUID, by: str
) -> None:
    name = f"bob-{by[:3]}"
    person = {"username": name, "role": "operator", "password": "another-long-word"}
    bob = product.call("POST", "users/", person).body
    browser = Browser(product, name, person["password"])
    headers = browser.headers
    if by == "revoking":
        token = product.manage("create_token", name)
        said = product.call("POST", f"guests/{near}/console/", {}, token=token)
        url, headers = said.body["websocket_url"], {}
    else:
        url = browser.ticket(near)

    def revoke() -> None:
        mine = product.call("GET", "tokens/", token=token).body["items"]
        product.call("DELETE", f"tokens/{mine[0]['id']}/", token=token)

    take: dict[str, Callable[[], object]] = {
        "disabling": lambda: product.call(
            "PATCH", f"users/{bob['id']}/", {"is_active": False}
        ),
        "signing out": lambda: browser.post("/logout/"),
        "revoking": revoke,
    }
    with socket_to(url, additional_headers=headers) as screen:
        assert screen.recv(5) == b"RFB 003.008\n"
        take[by]()
        assert _code_at_end(screen, GONE_S) == 4403


def test_what_happened_is_on_record_and_no_secret_is(
    product: Product, near: UUID
) -> None:
    ticket = ticket_for(product, near)
    text = urllib.parse.urlsplit(ticket["websocket_url"]).query.split("=")[1]
    with socket_to(ticket["websocket_url"]) as screen:
        screen.recv(5)
    need_refused(ticket["websocket_url"])

    def outcomes() -> list[str]:
        rows = product.call("GET", "audit/?limit=50").body["items"]
        return [each["outcome"] for each in rows if each["action"] == "guest.console"]

    until(lambda: {"opened", "closed", "refused"} <= set(outcomes()), 5)
    logs = product.log_tail() + "".join(
        path.read_text(errors="replace") for path in product.directory.glob("**/*.log")
    )
    assert text not in logs
    rows = (product.directory / "kvmweb.sqlite3").read_bytes()
    rows += (product.directory / "kvmweb.sqlite3-wal").read_bytes()
    assert text.encode() not in rows
