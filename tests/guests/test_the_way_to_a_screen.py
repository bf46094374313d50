"""The console process between a client and a screen: bytes, one by one and no faster."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, unix_connect
from websockets.typing import Subprotocol

from guests import proxy
from guests.viewonly import Filter
from kvmweb.errors import NotKnown
from tests.waiting import until

PIECE = bytes(65536)


class _Screen(proxy.Screen):
    """A screen made of a pair of sockets; the test is the guest."""

    def __init__(self, *, view_only: bool) -> None:
        self.guest, self.socket = socket.socketpair()
        self.guest.settimeout(5)
        self.filter = Filter() if view_only else None
        self.moves = 0

    def follow(self) -> bool:
        if not self.moves:
            return False
        self.moves -= 1
        self.socket.close()
        self.guest, self.socket = socket.socketpair()
        self.guest.settimeout(5)
        return True

    def close(self) -> None:
        self.socket.close()


class _Tickets(proxy.Tickets):
    """Opens "look" and "use" and nothing else; no rows."""

    def __init__(self) -> None:
        super().__init__("")
        self.screens: list[_Screen] = []

    def lookup(self, token: str) -> proxy.Screen:
        if token not in {"look", "use"}:
            raise NotKnown("No such ticket.")
        self.screens.append(_Screen(view_only=token == "look"))
        return self.screens[-1]


@pytest.fixture
def tickets(tmp_path: Path) -> Iterator[_Tickets]:
    """A console process's server, in a thread."""
    with proxy.Server(tmp_path / "s") as server:
        server.token_plugin = _Tickets()
        threading.Thread(target=server.serve_forever, args=(0.05,)).start()
        yield server.token_plugin
        server.shutdown()
        for screen in server.token_plugin.screens:
            screen.guest.close()
            screen.socket.close()


def _open(tmp_path: Path, token: str) -> ClientConnection:
    return unix_connect(
        str(tmp_path / "s"),
        f"ws://console/?token={token}",
        subprotocols=[Subprotocol("binary")],
        compression=None,
        max_size=None,
    )


def test_bytes_go_both_ways(tmp_path: Path, tickets: _Tickets) -> None:
    with _open(tmp_path, "use") as client:
        assert client.subprotocol == "binary"
        guest = tickets.screens[0].guest
        client.send(b"to the guest")
        assert guest.recv(100) == b"to the guest"
        guest.sendall(b"to the client")
        assert client.recv(5) == b"to the client"
        much = bytes(range(256)) * 8192
        threading.Thread(target=guest.sendall, args=(much,)).start()
        heard = b""
        while len(heard) < len(much):
            heard += client.recv(5)  # type: ignore[operator]  # bytes, always
        assert heard == much


def test_two_clients_never_get_each_others_screen(
    tmp_path: Path, tickets: _Tickets
) -> None:
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(_open(tmp_path, "use")) for _ in range(20)]
        for number, screen in enumerate(tickets.screens):
            screen.guest.sendall(bytes([number]))
        heard = [client.recv(5) for client in clients]
        assert heard == [bytes([number]) for number in range(20)]


def test_a_client_that_does_not_read_holds_the_guest_up(
    tmp_path: Path, tickets: _Tickets
) -> None:
    with _open(tmp_path, "use"):
        guest = tickets.screens[0].guest
        guest.settimeout(1)
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < 50 * 2**20:
                sent += guest.send(PIECE)
        assert sent < 20 * 2**20, "Somebody keeps what nobody reads."


def test_who_only_looks_reaches_the_guest_with_nothing_else(
    tmp_path: Path, tickets: _Tickets
) -> None:
    hello = b"RFB 003.008\n\x01"
    key, update = b"\x04\x01\0\0\0\0\0a", b"\x03\0\0\0\0\0\0\x01\0\x01"
    with _open(tmp_path, "look") as client:
        client.send(hello + b"\0" + key)
        client.send(update)
        guest = tickets.screens[0].guest
        heard = b""
        while len(heard) < len(hello) + 1 + len(update):
            heard += guest.recv(100)
        assert heard == hello + b"\x01" + update
        client.send(b"\x77")
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(5)
        assert closed.value.rcvd
        assert closed.value.rcvd.code == 1008


def test_either_side_ends_the_other(tmp_path: Path, tickets: _Tickets) -> None:
    before = threading.active_count()
    with _open(tmp_path, "use") as client:
        tickets.screens[0].guest.close()
        with pytest.raises(ConnectionClosed):
            client.recv(5)
    with _open(tmp_path, "use") as client:
        pass
    assert tickets.screens[1].guest.recv(10) == b""
    until(lambda: threading.active_count() <= before, 5)


def test_a_port_that_moves_is_a_pause_for_its_client(
    tmp_path: Path, tickets: _Tickets
) -> None:
    with _open(tmp_path, "use") as client:
        [screen] = tickets.screens
        screen.moves = 1
        before = screen.guest
        before.sendall(b"before")
        before.close()
        client.send(b"typed meanwhile")
        assert client.recv(5) == b"before"
        until(lambda: screen.guest is not before, 5)
        assert screen.guest.recv(100) == b"typed meanwhile"
        screen.guest.sendall(b"after")
        assert client.recv(5) == b"after"
        screen.guest.close()
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(5)
    assert closed.value.rcvd
    assert closed.value.rcvd.reason == "The screen is gone."


@pytest.mark.parametrize("token", ["", "other"])
def test_without_a_ticket_nothing_is_opened(
    tmp_path: Path, tickets: _Tickets, token: str
) -> None:
    with pytest.raises(InvalidStatus) as refused, _open(tmp_path, token):
        pass
    assert refused.value.response.status_code == 403
    assert tickets.screens == []
