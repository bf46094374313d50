"""A person looks at a guest's screen: through the whole product, at real QEMUs."""

import hashlib
import http.cookiejar
import json
import os
import re
import struct
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from bench.rfb import Screen
from deploy.lab import Lab
from deploy.lab_host import LabHost
from deploy.product import PASSWORD, Product
from tests.scene import ask, ended, seen, states_of_hosts
from tests.waiting import until

pytestmark = pytest.mark.lab
GONE_S = 10


class Pixels(Screen):
    """A screen whose pictures can be told apart, and that can type."""

    def picture(self) -> str:
        """What is shown, as a digest."""
        self._pixels = hashlib.sha256()
        self.update()
        return self._pixels.hexdigest()

    def type(self, text: str) -> None:
        """Press and let go of these keys."""
        for letter in text:
            for down in (1, 0):
                self._socket.send(struct.pack(">BBxxI", 4, down, ord(letter)))

    def _rectangle(self) -> int:
        *_, width, height, _ = struct.unpack(">HHHHi", self._read(12))
        self._pixels.update(self._read(width * height * 4))
        return 0


class Browser:
    """Somebody signed in with a password, as a browser is."""

    def __init__(self, product: Product, name: str, password: str) -> None:
        self._url = product.url
        self._jar = http.cookiejar.CookieJar()
        keeper = urllib.request.HTTPCookieProcessor(self._jar)
        self._opener = urllib.request.build_opener(keeper)
        page = self._opener.open(f"{self._url}/login/", timeout=10).read().decode()
        found = re.search(r'csrfmiddlewaretoken" value="([^"]+)"', page)
        assert found
        fields = {
            "username": name,
            "password": password,
            "csrfmiddlewaretoken": found[1],
        }
        data = urllib.parse.urlencode(fields).encode()
        self._opener.open(f"{self._url}/login/", data, timeout=10)
        assert "sessionid" in self.cookies

    @property
    def cookies(self) -> dict[str, str]:
        return {cookie.name: cookie.value or "" for cookie in self._jar}

    @property
    def headers(self) -> dict[str, str]:
        """For a WebSocket."""
        return {"Cookie": f"sessionid={self.cookies['sessionid']}"}

    def post(self, path: str, body: object = None) -> Any:
        """Send a form's or the API's POST."""
        request = urllib.request.Request(
            f"{self._url}{path}",
            json.dumps(body or {}).encode(),
            {
                "Content-Type": "application/json",
                "X-CSRFToken": self.cookies["csrftoken"],
            },
        )
        return self._opener.open(request, timeout=10)

    def ticket(self, guest: UUID) -> str:
        """The address of a screen."""
        said = json.load(self.post(f"/api/v1/guests/{guest}/console/"))
        return str(said["websocket_url"])


@pytest.fixture(scope="module")
def shown(lab: Lab) -> Iterator[Product]:
    """The product with the first host by its socket, the second by tcp."""
    first, second = lab.hosts
    place = Path("/tmp", f"kvmweb-console-{os.getpid()}")
    with Product(place) as product:
        unix = {"transport": "unix", "socket_path": str(first.socket_path)}
        tcp = {"transport": "tcp", "address": second.address}
        for name, how in (("near", unix), ("far", tcp)):
            assert product.call("POST", "hosts/", {"name": name, **how}).status == 201
        until(lambda: set(states_of_hosts(product).values()) == {"up"})
        yield product


@pytest.fixture(scope="module")
def near(shown: Product, lab: Lab) -> Iterator[UUID]:
    """A guest with a text screen, on the host beside us."""
    yield from _guest(shown, lab.hosts[0], "screen-near")


@pytest.fixture(scope="module")
def far(shown: Product, lab: Lab) -> Iterator[UUID]:
    """A guest on the other host, whose screen wants a password."""
    yield from _guest(shown, lab.hosts[1], "screen-far", password="unknown")


def _guest(
    product: Product, host: LabHost, name: str, password: str = ""
) -> Iterator[UUID]:
    uuid = host.define_demo(name, running=False, network="")
    if password:
        xml = host.virsh("dumpxml", "--domain", name)
        path = host.root / "guest.xml"
        path.write_text(xml.replace("type='vnc'", f"type='vnc' passwd='{password}'"))
        host.virsh("define", str(path))
    host.virsh("start", "--domain", name)
    seen(product, uuid, "running")
    yield uuid
    host.virsh("destroy", "--domain", name)
    host.virsh("undefine", "--domain", name)


def _ticket(product: Product, guest: UUID, **body: Any) -> dict[str, Any]:
    said = product.call("POST", f"guests/{guest}/console/", body)
    assert said.status == 200, said.body
    return dict(said.body)


def _pixels(product: Product, guest: UUID, **body: Any) -> Pixels:
    ticket = _ticket(product, guest, **body)
    return Pixels(ticket["websocket_url"], ticket["password"] or "")


def _socket(url: str, **more: Any) -> ClientConnection:
    return connect(url, subprotocols=[Subprotocol("binary")], compression=None, **more)


def _refused(url: str, **more: Any) -> None:
    with pytest.raises(InvalidStatus) as refused, _socket(url, **more):
        pass
    assert refused.value.response.status_code == 403


def _code_at_end(client: ClientConnection, seconds: float) -> int:
    until_then = time.monotonic() + seconds
    with pytest.raises(ConnectionClosed) as closed:
        _read_until(client, until_then)
    assert closed.value.rcvd
    return closed.value.rcvd.code


def _read_until(client: ClientConnection, until_then: float) -> None:
    while True:
        client.recv(max(0, until_then - time.monotonic()))


def test_it_shows_the_screen_of_a_guest_on_this_machine(
    shown: Product, near: UUID
) -> None:
    with _pixels(shown, near) as screen:
        until(lambda: len({screen.picture() for _ in range(2)}) > 0, 5)
        first = screen.picture()
        screen.type("echo hello\r")
        until(lambda: screen.picture() != first, 20)


def test_who_only_looks_cannot_type(shown: Product, near: UUID) -> None:
    with _pixels(shown, near, view_only=True) as looking:
        until(lambda: _still(looking), 60)
        before = looking.picture()
        looking.type("zzzzzzzz")
        time.sleep(1.5)  # nothing is expected to happen in it
        # The cursor blinks: both of its pictures count as the same.
        assert looking.picture() in {before, _other(looking, before)}
        with _pixels(shown, near) as using:
            using.type("zzzzzzzz")
            known = {before, _other(looking, before)}
            until(lambda: looking.picture() not in known, 10)


def _still(screen: Pixels) -> bool:
    """Whether at most a cursor moves."""
    return len({_after(screen, 0.1) for _ in range(20)}) <= 2


def _other(screen: Pixels, known: str) -> str:
    """The picture with the cursor the other way; the same when it does not blink."""
    for _ in range(20):
        if (found := _after(screen, 0.1)) != known:
            return found
    return known


def _after(screen: Pixels, seconds: float) -> str:
    time.sleep(seconds)
    return screen.picture()


def test_a_remote_screen_opens_with_the_password_of_the_ticket_only(
    shown: Product, far: UUID
) -> None:
    ticket = _ticket(shown, far)
    with Screen(ticket["websocket_url"], ticket["password"]) as screen:
        assert screen.update() > 0
    with pytest.raises(PermissionError):
        Screen(_ticket(shown, far)["websocket_url"], "unknown")


def test_a_screen_is_reached_through_ssh_too(
    shown: Product, far: UUID, lab: Lab
) -> None:
    host = lab.hosts[1]
    (row,) = [
        each
        for each in shown.call("GET", "hosts/").body["items"]
        if each["name"] == "far"
    ]
    assert lab.ssh_key
    by_ssh = {
        "transport": "ssh",
        "username": "root",
        "ssh_private_key": lab.ssh_key.private,
        "ssh_host_key": host.ssh_host_key,
    }
    changed = shown.call("PATCH", f"hosts/{row['id']}/", by_ssh)
    assert changed.status == 200, changed.body
    until(lambda: states_of_hosts(shown)["far"] == "up", 60)
    seen(shown, far, "running", 60)
    with _pixels(shown, far) as screen:
        assert screen.picture()


def test_a_serial_port_is_a_shell(shown: Product, near: UUID) -> None:
    url = _ticket(shown, near, kind="serial")["websocket_url"]
    with _socket(url) as port:
        said = b""

        def answered() -> bool:
            nonlocal said
            port.send(b"echo $((6*7))\n")
            said += port.recv(5, decode=False)
            return b"\n42" in said.replace(b"\r", b"")

        until(answered, 30)


def test_a_ticket_opens_one_screen_however_many_try(shown: Product, near: UUID) -> None:
    url = _ticket(shown, near)["websocket_url"]

    def opened(_: int) -> bool:
        try:
            with _socket(url, open_timeout=60) as client:
                assert client.recv(5) == b"RFB 003.008\n"
        except InvalidStatus:
            return False
        else:
            return True

    with ThreadPoolExecutor(25) as crowd:
        assert sum(crowd.map(opened, range(100))) == 1
    _refused(url)


def test_another_site_another_person_or_nobody_cannot_use_it(
    shown: Product, near: UUID
) -> None:
    anna = Browser(shown, "admin", PASSWORD)
    shown.call(
        "POST",
        "users/",
        {"username": "mallory", "role": "admin", "password": "another-long-word"},
    )
    mallory = Browser(shown, "mallory", "another-long-word")
    url = anna.ticket(near)
    _refused(url)
    _refused(url, additional_headers=mallory.headers)
    evil = Origin("https://evil.example")
    _refused(url, additional_headers=anna.headers, origin=evil)
    own = Origin(shown.url)
    with _socket(url, additional_headers=anna.headers, origin=own) as screen:
        assert screen.recv(5) == b"RFB 003.008\n"
    # A ticket asked for with a token is for programs; a stranger's cookie spoils it.
    by_token = _ticket(shown, near)["websocket_url"]
    _refused(by_token, additional_headers=mallory.headers)


def test_a_ticket_ends_with_the_session_and_after_31_seconds(
    shown: Product, near: UUID
) -> None:
    anna = Browser(shown, "admin", PASSWORD)
    url, headers = anna.ticket(near), anna.headers
    old = _ticket(shown, near)["websocket_url"]
    begun = time.monotonic()
    anna.post("/logout/")
    _refused(url, additional_headers=headers)
    time.sleep(31 - (time.monotonic() - begun))  # its very life
    _refused(old)


@pytest.mark.parametrize("by", ["disabling", "signing out", "revoking"])
def test_a_right_taken_away_ends_the_screen(
    shown: Product, near: UUID, by: str
) -> None:
    name = f"bob-{by[:3]}"
    person = {"username": name, "role": "operator", "password": "another-long-word"}
    bob = shown.call("POST", "users/", person).body
    browser = Browser(shown, name, person["password"])
    headers = browser.headers
    if by == "revoking":
        token = shown.manage("create_token", name)
        said = shown.call("POST", f"guests/{near}/console/", {}, token=token)
        url, headers = said.body["websocket_url"], {}
    else:
        url = browser.ticket(near)

    def revoke() -> None:
        mine = shown.call("GET", "tokens/", token=token).body["items"]
        shown.call("DELETE", f"tokens/{mine[0]['id']}/", token=token)

    take: dict[str, Callable[[], object]] = {
        "disabling": lambda: shown.call(
            "PATCH", f"users/{bob['id']}/", {"is_active": False}
        ),
        "signing out": lambda: browser.post("/logout/"),
        "revoking": revoke,
    }
    with _socket(url, additional_headers=headers) as screen:
        assert screen.recv(5) == b"RFB 003.008\n"
        take[by]()
        assert _code_at_end(screen, GONE_S) == 4403


def test_it_never_shows_who_got_its_guests_port(
    shown: Product, near: UUID, lab: Lab
) -> None:
    host = lab.hosts[0]
    first = host.define_demo("port-a", memory_mib=16, paused=True, network="")
    seen(shown, first, "paused")
    url = _ticket(shown, first)["websocket_url"]
    port = host.virsh("vncdisplay", "port-a")
    host.virsh("destroy", "port-a")
    host.define_demo("port-b", memory_mib=16, paused=True, network="")
    try:
        assert host.virsh("vncdisplay", "port-b") == port
        with _socket(url) as client, pytest.raises(ConnectionClosed) as closed:
            client.recv(10)
        assert closed.value.rcvd
        assert closed.value.rcvd.code == 4409
        assert closed.value.rcvd.reason
    finally:
        host.virsh("destroy", "port-b")
        for name in ("port-a", "port-b"):
            host.virsh("undefine", name)


def test_what_happened_is_on_record_and_no_secret_is(
    shown: Product, near: UUID
) -> None:
    ticket = _ticket(shown, near)
    text = urllib.parse.urlsplit(ticket["websocket_url"]).query.split("=")[1]
    with _socket(ticket["websocket_url"]) as screen:
        screen.recv(5)
    _refused(ticket["websocket_url"])

    def outcomes() -> list[str]:
        rows = shown.call("GET", "audit/?limit=50").body["items"]
        return [each["outcome"] for each in rows if each["action"] == "guest.console"]

    until(lambda: {"opened", "closed", "refused"} <= set(outcomes()), 5)
    logs = shown.log_tail() + "".join(
        path.read_text(errors="replace") for path in shown.directory.glob("**/*.log")
    )
    assert text not in logs
    rows = (shown.directory / "kvmweb.sqlite3").read_bytes()
    rows += (shown.directory / "kvmweb.sqlite3-wal").read_bytes()
    assert text.encode() not in rows


def test_it_says_why_a_screen_cannot_be_had(shown: Product, near: UUID) -> None:
    said = ask(shown, near, "force-off")
    assert ended(shown, said.body["id"])["state"] == "succeeded"
    seen(shown, near, "shutoff")
    refused = shown.call("POST", f"guests/{near}/console/", {})
    assert refused.status == 409
    assert "Start it first" in str(refused.body)
    ended(shown, ask(shown, near, "start").body["id"])
    seen(shown, near, "running")
