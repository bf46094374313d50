"""The door of consoles on the product's one port: `/ws/console/?ticket=…`.

browser ⇄ this WebSocket (subprotocol `binary`) ⇄ websockify ⇄ the screen. Bytes go through
untouched, and no faster than the slower side reads. Closed with 4403 when the right is
gone, 4409 with a reason when no screen came, 4503 when the console process is away.
"""

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import parse_qs, urlencode

from django.conf import settings
from django.db import DatabaseError
from websockets.asyncio.client import ClientConnection, unix_connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidStatus,
)
from websockets.typing import Subprotocol

from guests import console as tickets
from guests.models import ConsoleTicket
from kvmweb.accounts import audit
from kvmweb.accounts.models import User
from kvmweb.errors import AppError, NotKnown
from kvmweb.live import identity

logger = logging.getLogger(__name__)

Event: TypeAlias = dict[str, Any]

ASKED_EVERY_S = 3.0
UNANSWERED_S = 9.0  # so long the database may be away before a screen is closed
OPEN_S = 20.0
NOT_ALLOWED, NO_SCREEN, AWAY = 4403, 4409, 4503
_CLOSE_S = 3.0
_REASON_BYTES = 120  # a close frame has room for 123
_UPSTREAM = "console.sock"


@dataclass(frozen=True, slots=True)
class Visit:
    """One screen opened by one client."""

    ticket: ConsoleTicket
    text: str = field(repr=False)
    caller: identity.Caller
    address: str


class Closed(Exception):
    """The end of a screen: what the client is told."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


async def console(scope: Event, receive: Any, send: Any) -> None:
    """Serve one console from its first request to its end."""
    await receive()
    if not identity.same_site(scope):
        await send({"type": "websocket.close"})  # before accepting: a plain 403
        return
    try:
        visit = await identity.in_thread(_admitted, scope)
    except (AppError, DatabaseError):
        await send({"type": "websocket.close"})
        return
    offered = scope.get("subprotocols") or []
    accept = {
        "type": "websocket.accept",
        "subprotocol": "binary" if "binary" in offered else None,
    }
    try:
        upstream = await _opened(visit)
    except NotKnown:
        await send({"type": "websocket.close"})
        return
    except Closed as end:
        await send(accept)
        await _close(send, end)
        return
    await send(accept)
    await _watched(visit, upstream, receive, send)


def _admitted(scope: Event) -> Visit:
    """Who comes with which ticket. Raises AppError when they do not belong together."""
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    text = query.get("ticket", [""])[0]
    caller = identity.caller(scope | {"query_string": b""})
    who = caller.user()
    address = (scope.get("client") or ("",))[0]
    try:
        ticket = tickets.peek(text, session_key=caller.session_key, who=who)
    except NotKnown as error:
        _record_refusal(who, address, error)
        raise
    return Visit(ticket, text, caller, address)


async def _opened(visit: Visit) -> ClientConnection:
    """The way to websockify. Raises NotKnown when another was faster, Closed else."""
    path = settings.INTERNAL_SOCKETS / _UPSTREAM
    query = urlencode({"token": visit.text})
    try:
        return await unix_connect(
            str(path),
            uri=f"ws://console/?{query}",
            subprotocols=[Subprotocol("binary")],
            compression=None,
            max_size=None,
            max_queue=4,
            ping_interval=None,
            open_timeout=OPEN_S,
            close_timeout=1,
        )
    except InvalidStatus as error:
        problem = await identity.in_thread(tickets.problem_of, visit.ticket)
        refusal = NotKnown("This ticket was used already.")
        reason = AppError(problem) if problem else refusal
        await identity.in_thread(
            _record_refusal, visit.ticket.user, visit.address, reason, visit.ticket
        )
        if not problem:
            raise refusal from error
        raise Closed(NO_SCREEN, problem) from error
    except (OSError, InvalidHandshake, TimeoutError) as error:
        logger.warning("The console process does not answer: %s", type(error).__name__)
        raise Closed(AWAY, "The console process does not answer.") from error


async def _watched(
    visit: Visit, upstream: ClientConnection, receive: Any, send: Any
) -> None:
    """Carry bytes both ways while the right holds; say in the end why it ended."""
    begun = time.monotonic()
    parts = [
        asyncio.create_task(_down(upstream, send)),
        asyncio.create_task(_up(upstream, receive)),
        asyncio.create_task(_asked_again(visit)),
    ]
    end = Closed(1001, "")
    try:
        await identity.in_thread(_record, visit, "opened", {})
        await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for part in parts:
            part.cancel()
        for result in await asyncio.gather(*parts, return_exceptions=True):
            if isinstance(result, Closed):
                end = result
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(upstream.close(), 2)
        await _close(send, end)
        details = {"seconds": round(time.monotonic() - begun), "because": end.reason}
        await identity.in_thread(_record, visit, "closed", details)


async def _down(upstream: ClientConnection, send: Any) -> None:
    """From the screen; `send` returns when the client has taken it."""
    try:
        while True:
            shown = await upstream.recv(decode=False)
            await send({"type": "websocket.send", "bytes": shown})
    except ConnectionClosed as error:
        said = error.rcvd
        raise Closed(1000, said.reason if said else "The screen is gone.") from error
    except OSError as error:  # the client left in the middle
        raise Closed(1001, "") from error


async def _up(upstream: ClientConnection, receive: Any) -> None:
    """From the client."""
    with contextlib.suppress(ConnectionClosed):
        while (event := await receive())["type"] == "websocket.receive":
            heard = event.get("bytes")
            await upstream.send(
                event["text"].encode() if heard is None else heard, text=False
            )
        raise Closed(1001, "")
    await asyncio.Event().wait()  # the other direction says why


async def _asked_again(visit: Visit) -> None:
    """Raises Closed once the right is gone."""
    answered = time.monotonic()
    while True:
        await asyncio.sleep(ASKED_EVERY_S)
        try:
            await identity.in_thread(_need_still, visit)
            answered = time.monotonic()
        except AppError as error:
            raise Closed(NOT_ALLOWED, error.detail) from error
        except DatabaseError as error:
            if time.monotonic() - answered > UNANSWERED_S:
                reason = "Nobody could say whether you may still see this."
                raise Closed(NOT_ALLOWED, reason) from error


def _need_still(visit: Visit) -> None:
    who = visit.caller.user() if visit.ticket.session_digest else None
    tickets.need_still(visit.ticket, who)


async def _close(send: Any, end: Closed) -> None:
    reason = end.reason.encode()[:_REASON_BYTES].decode(errors="ignore")
    said = send({"type": "websocket.close", "code": end.code, "reason": reason})
    with contextlib.suppress(OSError, RuntimeError):  # it has gone, or does not read
        await asyncio.wait_for(said, _CLOSE_S)


def _record(visit: Visit, outcome: str, details: dict[str, Any]) -> None:
    ticket = visit.ticket
    audit.record(
        "guest.console",
        actor=ticket.user,
        target=ticket.guest.topic,
        outcome=outcome,
        address=visit.address,
        details={"kind": ticket.kind, "view_only": ticket.view_only, **details},
    )


def _record_refusal(
    who: User | None,
    address: str,
    error: AppError,
    ticket: ConsoleTicket | None = None,
) -> None:
    audit.record_refusal(
        "guest.console",
        actor=who or audit.NOBODY,
        target=ticket.guest.topic if ticket else "",
        address=address,
        details={"because": str(error)},
    )
