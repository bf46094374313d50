"""Content between a browser and a host's pool: this process holds one piece at a time.

An ASGI application for /api/v1/volumes/ID/content/ alone. Django is asked first, with an
empty body: gate, CSRF, tokens and rules are the same as everywhere. It submits the
operation and names it in a header; then the body goes on to the socket where a child of
the worker listens (kvmweb.virt.transfer), or comes from there. Nobody is read faster
than the other end writes.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db import close_old_connections

from hosts.storage.content import HEADER, MARK
from hosts.storage.passing import socket_of
from kvmweb.doors import problem
from kvmweb.errors import AppError, HostError, Unavailable
from kvmweb.operations.models import Operation
from kvmweb.virt.transfer import FRAME, LONGEST_FRAME

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_COME_S = 20.0
_END_S = 5.0
_ANSWER_S = 90.0  # the host may still write what it was sent
_DRAINED_BYTES = 64 << 20
_HELD = 1 << 20
_PIECE = 1 << 20
_BODY_HEADERS = (b"content-length", b"transfer-encoding", b"expect")


@dataclass(slots=True)
class _Answer:
    """What Django said."""

    status: int = 500
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""

    @property
    def operation(self) -> UUID | None:
        name = HEADER.lower().encode()
        found = [value for key, value in self.headers if key.lower() == name]
        return UUID(found[0].decode()) if found else None

    @property
    def public_headers(self) -> list[tuple[bytes, bytes]]:
        name = HEADER.lower().encode()
        return [pair for pair in self.headers if pair[0].lower() != name]


class _Body:
    """What the client sends; whether all of it has come."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.over = False

    async def next(self) -> bytes:
        """The next piece. Raises _Gone when the client hangs up."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self.over = True
            raise _Gone
        self.over = not message.get("more_body", False)
        return bytes(message.get("body", b""))

    async def hung_up(self) -> None:
        """Return when the client has hung up."""
        with suppress(_Gone):
            while True:
                await self.next()

    async def drain(self) -> None:
        """Let go of what is still coming, within reason: who sends does not listen."""
        dropped = 0
        while not self.over and dropped < _DRAINED_BYTES:
            dropped += len(await self.next())


class _Gone(Exception):
    """Whoever asked has hung up."""


class Content:
    """The application; `django` is what answers everything else."""

    def __init__(self, django: App) -> None:
        self._django = django

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["method"] not in ("GET", "PUT"):
            await self._django(scope, receive, send)
            return
        body = _Body(receive)
        said = await self._ask(scope)
        with suppress(_Gone):
            if said.operation is None:
                await _refuse(said, body, send)
                return
            carry = _give if scope["method"] == "GET" else _take
            try:
                reader, writer = await _there(said.operation)
                try:
                    await carry(said, reader, writer, body, send)
                finally:
                    writer.close()
                    with suppress(OSError):  # it may have closed with a bang
                        await writer.wait_closed()
            except AppError as error:
                await _refuse(_problem(error), body, send)

    async def _ask(self, scope: Scope) -> _Answer:
        """What Django says to the request without its body."""
        headers = [pair for pair in scope["headers"] if pair[0] not in _BODY_HEADERS]
        said = _Answer()
        begun = False

        async def nothing() -> Message:
            nonlocal begun
            if begun:  # Django waits here for a hang-up, and is cancelled in the end
                await asyncio.Event().wait()
            begun = True
            return {"type": "http.request", "body": b"", "more_body": False}

        async def keep(message: Message) -> None:
            if message["type"] == "http.response.start":
                said.status = message["status"]
                said.headers = [(bytes(k), bytes(v)) for k, v in message["headers"]]
            else:
                said.body += message.get("body", b"")

        mark = {"length_bytes": _told_length(scope)}
        await self._django(scope | {"headers": headers, MARK: mark}, nothing, keep)
        return said


async def _take(
    said: _Answer,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    body: _Body,
    send: Send,
) -> None:
    """The body to the child, then Django's answer; or what the child has against it."""
    answer = asyncio.ensure_future(reader.readline())
    pump = asyncio.ensure_future(_pump(body, writer))
    try:
        # It may answer in the middle: what comes is no image, or its host is full.
        await asyncio.wait((pump, answer), return_when=asyncio.FIRST_COMPLETED)
        if pump.done():
            with suppress(ConnectionError):  # it has answered, or died
                pump.result()
        try:
            async with asyncio.timeout(_ANSWER_S):
                told = json.loads(await answer or b"{}")
        except TimeoutError as error:
            raise HostError("The host does not finish what it was sent.") from error
        except ConnectionError:
            told = {}  # it died without a word
    finally:
        for task in (pump, answer):
            task.cancel()
        await asyncio.wait((pump, answer))
    if not told.get("ok"):
        raise _heard(told)
    await _send(send, said.status, said.public_headers, said.body)


async def _pump(body: _Body, writer: asyncio.StreamWriter) -> None:
    """Frames until the body ends. Raises _Gone when it ends in the middle."""
    pieces: list[bytes] = []
    held = 0
    while not body.over:
        if piece := await body.next():
            pieces.append(piece)
            held += len(piece)
        if held >= _PIECE or (held and body.over):
            _frame(writer, pieces, held)
            pieces, held = [], 0
            await writer.drain()
    writer.write(FRAME.pack(0))
    await writer.drain()


def _frame(writer: asyncio.StreamWriter, pieces: list[bytes], length: int) -> None:
    """One frame of these pieces, or several where one piece is very long."""
    if length <= LONGEST_FRAME:
        writer.writelines((FRAME.pack(length), *pieces))
        return
    data = b"".join(pieces)
    for start in range(0, length, LONGEST_FRAME):
        part = data[start : start + LONGEST_FRAME]
        writer.writelines((FRAME.pack(len(part)), part))


async def _give(
    said: _Answer,
    reader: asyncio.StreamReader,
    _writer: asyncio.StreamWriter,
    body: _Body,
    send: Send,
) -> None:
    """The content from the child, exactly as long as it was told to be."""
    told = json.loads(await reader.readline() or b"{}")
    if "length" not in told:
        raise _heard(told)
    left = int(told["length"])
    length = (b"content-length", str(left).encode())
    headers = [pair for pair in said.public_headers if pair[0].lower() != length[0]]
    await send(
        {
            "type": "http.response.start",
            "status": said.status,
            "headers": [*headers, length],
        }
    )
    gone = asyncio.ensure_future(body.hung_up())
    last = b""
    try:
        async for piece in _pieces(reader, left):
            if gone.done():
                raise _Gone
            await send({"type": "http.response.body", "body": last, "more_body": True})
            last = piece
    finally:
        gone.cancel()
    # Who has the last byte may ask for the volume again at once: it is free by then.
    if said.operation is not None:
        await _until_ended(said.operation)
    await send({"type": "http.response.body", "body": last})


async def _until_ended(operation: UUID) -> None:
    """Return when it has ended, or after a few seconds."""
    end = asyncio.get_running_loop().time() + _END_S
    while asyncio.get_running_loop().time() < end:
        if not await sync_to_async(_is_active)(operation):
            return
        await asyncio.sleep(0.05)


def _is_active(operation: UUID) -> bool:
    close_old_connections()
    active = Operation.objects.filter(state__in=Operation.ACTIVE)
    return active.filter(pk=operation).exists()


async def _pieces(reader: asyncio.StreamReader, length: int) -> AsyncIterator[bytes]:
    """So many bytes. Raises _Gone where they end before: the connection shows it."""
    left = length
    try:
        while count := FRAME.unpack(await reader.readexactly(FRAME.size))[0]:
            piece = (await reader.readexactly(count))[:left]
            left -= len(piece)
            if piece:
                yield piece
    except asyncio.IncompleteReadError as error:
        raise _Gone from error
    if left:
        raise _Gone


async def _there(
    operation: UUID,
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """The child's socket, as soon as it listens. Raises what kept it from that."""
    path = await sync_to_async(_socket)(operation)
    end = asyncio.get_running_loop().time() + _COME_S
    tries = 0
    while True:
        try:
            return await asyncio.open_unix_connection(path, limit=_HELD)
        except OSError:
            tries += 1
        if tries % 10 == 0:
            await sync_to_async(_need_alive)(operation)
        if asyncio.get_running_loop().time() > end:
            raise Unavailable("No worker is free for this now.", hint="Try again.")
        await asyncio.sleep(0.02)


def _socket(operation: UUID) -> str:
    return str(socket_of(Operation(pk=operation)))


def _need_alive(operation: UUID) -> None:
    """Nothing. Raises what ended the operation before it could take anything."""
    close_old_connections()
    row = Operation.objects.filter(pk=operation).first()
    if row is None or not row.active:
        error = HostError(row.error_message if row else "The operation is gone.")
        error.code = (row and row.error_code) or error.code
        raise error


def _heard(told: dict[str, Any]) -> AppError:
    """The child's error, or that it said nothing."""
    error = HostError(
        told.get("detail", "The transfer broke: its worker or its host went away."),
        hint=told.get("hint", ""),
    )
    error.code = told.get("code", error.code)
    error.status = int(told.get("status", error.status))
    return error


def _problem(error: AppError) -> _Answer:
    told = problem(error)
    headers = [(k.lower().encode(), v.encode()) for k, v in told.items()]
    return _Answer(told.status_code, headers, told.content)


async def _refuse(said: _Answer, body: _Body, send: Send) -> None:
    """Answer, and end the connection if not all of the body was taken."""
    await body.drain()
    headers = said.public_headers
    if not body.over:
        headers = [*headers, (b"connection", b"close")]
    await _send(send, said.status, headers, said.body)


async def _send(
    send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes
) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _told_length(scope: Scope) -> int | None:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and len(value) <= 20:
            return int(value)
    return None
