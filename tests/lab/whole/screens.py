"""A screen and a browser without a window: what a person has, in the hands of a test."""

import hashlib
import http.cookiejar
import json
import re
import struct
import urllib.parse
import urllib.request
from typing import Any
from uuid import UUID

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from bench.rfb import Screen
from deploy.product import Product


class Pixels(Screen):
    """A screen whose pictures can be told apart, and that can type."""

    def picture(self) -> str:
        """What is product, as a digest."""
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


def ticket_for(product: Product, guest: UUID, **body: Any) -> dict[str, Any]:
    """What a program is told that asks for this screen."""
    said = product.call("POST", f"guests/{guest}/console/", body)
    assert said.status == 200, said.body
    return dict(said.body)


def pixels_of(product: Product, guest: UUID, **body: Any) -> Pixels:
    """The screen, to be entered with a ticket of its own."""
    ticket = ticket_for(product, guest, **body)
    return Pixels(ticket["websocket_url"], ticket["password"] or "")


def socket_to(url: str, **more: Any) -> ClientConnection:
    """What a browser opens to see a screen."""
    return connect(url, subprotocols=[Subprotocol("binary")], compression=None, **more)


def need_refused(url: str, **more: Any) -> None:
    """Nothing. Fails when this address opens a screen."""
    with pytest.raises(InvalidStatus) as refused, socket_to(url, **more):
        pass
    assert refused.value.response.status_code == 403
