"""websockify as the way to a screen: tickets are redeemed here, view-only is kept here.

It listens on a socket of this machine that only our own processes may open; the web
process is its only client. Threads, not websockify's forks: a forked process would need
a new connection to each host, and its class keeps the target of the last client for all.
"""

import contextlib
import logging
import select
import socket
import socketserver
import sys
import time
import warnings
from contextlib import ExitStack
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.db import connections

from guests import console, following, reach
from guests.models import ConsoleTicket
from guests.viewonly import Filter, Unknown
from kvmweb.errors import AppError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # numpy would only help with what clients send
    from websockify.token_plugins import BasePlugin
    from websockify.websocketproxy import ProxyRequestHandler

logger = logging.getLogger(__name__)

SOCKET = "console.sock"
_PIECE = 262144  # each frame costs the web process time
_MOST_HELD = _PIECE  # for a host that does not read
_POLICY = 1008
_OPENED_S, _AGAIN_S = 10.0, 0.2  # for a guest that has just arrived
_GONE = select.POLLHUP | select.POLLERR


class Screen:
    """An opened screen: the socket to it, and what of the client may pass."""

    def __init__(self, ticket: ConsoleTicket, text: str) -> None:
        self._stack = ExitStack()
        self._ticket, self._text = ticket, text
        self.filter = Filter() if ticket.view_only else None
        try:
            self.socket = self._opened()
        except AppError:
            left = ticket.guest.host_id
            if not self._moved(left, patience_s=0):
                raise
            self.socket = self._opened()

    def follow(self) -> bool:
        """Whether it is the same port again, on the host its guest has moved to.

        A serial port only: to a picture belongs what its viewer and its server have
        agreed on, so a new one is opened by whoever looks.
        """
        self._stack.close()
        if self._ticket.kind != ConsoleTicket.Kind.SERIAL:
            return False
        left, until = self._ticket.guest.host_id, time.monotonic() + _OPENED_S
        while self._moved(left, patience_s=following.NEWS_S):
            try:
                self.socket = self._opened()
            except AppError as error:  # it may only be about to run there
                if time.monotonic() > until:
                    logger.info("A serial port could not be followed: %s", error)
                    return False
                time.sleep(_AGAIN_S)
            else:
                return True
        return False

    def _opened(self) -> socket.socket:
        return self._stack.enter_context(reach.screen(self._ticket, self._text))

    def _moved(self, left: int | None, *, patience_s: float) -> bool:
        try:
            self._ticket = following.home_after(
                self._ticket, left, patience_s=patience_s
            )
        except AppError as error:
            logger.info("A screen was not followed: %s", error)
            return False
        finally:
            connections.close_all()
        return True

    def close(self) -> None:
        """Leave everything that led to it."""
        self._stack.close()


class Tickets(BasePlugin):  # type: ignore[misc]  # websockify has no hints
    """websockify's token plugin: a token is a ticket, and it is good once."""

    def lookup(self, token: str) -> Screen:
        """The screen this ticket opens. Raises AppError, and the ticket is spent."""
        ticket = console.take(token)
        try:
            return Screen(ticket, token)
        except AppError as error:
            console.failed(ticket, error)
            raise
        finally:
            connections.close_all()  # a screen may be open for days


class Handler(ProxyRequestHandler):  # type: ignore[misc]  # websockify has no hints
    """One client: its ticket, its screen, and the bytes between."""

    screen: Screen

    def handle_upgrade(self) -> None:
        """Redeem the ticket before anything is promised."""
        query = parse_qs(urlsplit(self.path).query)
        try:
            self.screen = self.server.token_plugin.lookup(query.get("token", [""])[0])
        except AppError as error:
            self.send_error(HTTPStatus.FORBIDDEN, error.title)
            return
        try:
            super().handle_upgrade()
        finally:
            self.screen.close()

    def validate_connection(self) -> None:
        """It was, in `handle_upgrade`."""

    def auth_connection(self) -> None:
        """The ticket was all that is asked for."""

    def new_websocket_client(self) -> None:
        """Carry bytes both ways until one side ends. Raises CClose."""
        waiting = bytearray()  # heard, and not sent on yet
        try:
            self.do_proxy(self.screen.socket, waiting)
            while self.screen.follow():
                self.do_proxy(self.screen.socket, waiting)
        except Unknown as error:
            raise self.CClose(_POLICY, str(error)) from error
        except OSError as error:
            logger.info("The way to a screen broke: %r", error)
        raise self.CClose(1000, "The screen is gone.")

    def do_proxy(self, target: socket.socket, to_target: bytearray) -> None:
        """Until the screen ends; neither side is read while the other cannot take it."""
        target.settimeout(0)
        with contextlib.suppress(OSError):  # a Unix socket knows no such thing
            target.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            target.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        client, poll, stuck = self.request, select.poll(), False
        while True:
            poll.register(client, _events(len(to_target) < _MOST_HELD, stuck))
            poll.register(target, _events(not stuck, bool(to_target)))
            ready = dict(poll.poll())
            if ready.get(client.fileno(), 0) & select.POLLOUT:
                stuck = self.send_frames()
            if ready.get(client.fileno(), 0) & (select.POLLIN | _GONE):
                to_target += self._heard()
            if to_target:
                del to_target[: _sent(target, to_target)]
            if not stuck and ready.get(target.fileno(), 0) & (select.POLLIN | _GONE):
                if not (shown := _shown(target)):
                    return
                stuck = self.send_frames([shown])

    def _heard(self) -> bytes:
        pieces, closed = self.recv_frames()
        if closed:
            raise self.CClose(1000, "")
        heard = b"".join(pieces)
        return self.screen.filter.feed(heard) if self.screen.filter else heard

    def log_message(self, *args: Any) -> None:
        """Nothing: what websockify would write holds tickets."""


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """websockify's handler on a socket of this machine, a thread for each client."""

    daemon_threads = True
    request_queue_size = 128
    only_upgrade = True

    def __init__(self, path: Path) -> None:
        self.token_plugin = Tickets("")
        super().__init__(str(path), Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """One line and the trace; the others' screens go on."""
        logger.error("A console ended by a mistake.", exc_info=sys.exception())


def _events(read: bool, write: bool) -> int:  # noqa: FBT001 - both, always
    return (select.POLLIN if read else 0) | (select.POLLOUT if write else 0)


def _sent(target: socket.socket, data: bytearray) -> int:
    try:
        return target.send(data)
    except (BlockingIOError, ConnectionError):  # what is gone is read to its end
        return 0


def _shown(target: socket.socket) -> bytes:
    """What came; nothing once the screen has ended."""
    try:
        return target.recv(_PIECE)
    except ConnectionError:
        return b""
