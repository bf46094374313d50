"""Content passes through the web process piece by piece, and never half as a whole."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from hosts.storage import streaming
from hosts.storage.content import HEADER, MARK
from hosts.storage.streaming import Content
from kvmweb.virt.transfer import FRAME

OPERATION = uuid4()
Child = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Answer = list[dict[str, Any]]


@pytest.fixture(autouse=True)
def socket_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where the child listens."""
    path = str(tmp_path / "child.sock")
    monkeypatch.setattr(streaming, "_socket", lambda _operation: path)
    monkeypatch.setattr(streaming, "_need_alive", lambda _operation: None)
    monkeypatch.setattr(streaming, "_is_active", lambda _operation: False)
    return path


async def django(scope: Any, receive: Any, send: Any) -> None:
    """Accepts, and sees no byte of the content."""
    assert MARK in scope
    assert (await receive()) == {
        "type": "http.request",
        "body": b"",
        "more_body": False,
    }
    names = [name for name, _ in scope["headers"]]
    assert b"content-length" not in names
    status = 202 if scope["method"] == "PUT" else 200
    headers = [(HEADER.lower().encode(), str(OPERATION).encode()), (b"x-a", b"b")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"{}"})


def ask(
    path: str,
    child: Child,
    method: str,
    pieces: list[bytes | None],
    app: Any = django,
    heard: Answer | None = None,
) -> Answer:
    """What a client gets that sends these pieces; None: it hangs up.

    With `heard` it is written there at once.
    """

    async def talk() -> Answer:
        said: Answer = [] if heard is None else heard
        messages = [
            {"type": "http.disconnect"}
            if piece is None
            else {
                "type": "http.request",
                "body": piece,
                "more_body": number + 1 < len(pieces),
            }
            for number, piece in enumerate(pieces)
        ]
        coming = iter(messages)

        async def receive() -> dict[str, Any]:
            message = next(coming, None)
            if message is None:  # it waits for the answer
                await asyncio.Event().wait()
            assert message is not None
            await asyncio.sleep(0)
            return message

        async def send(message: dict[str, Any]) -> None:
            said.append(message)
            await asyncio.sleep(0)

        scope = {"method": method, "headers": [(b"content-length", b"9")]}
        async with await asyncio.start_unix_server(child, path):
            async with asyncio.timeout(10):
                await Content(app)(scope, receive, send)
        return said

    return asyncio.run(talk())


class Taker:
    """A child that takes everything, and what it took."""

    def __init__(self, answer: dict[str, Any] | None = None) -> None:
        self.taken = b""
        self.whole = False
        self.over = asyncio.Event()
        self._answer = answer or {"ok": True}

    async def __call__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            while count := FRAME.unpack(await reader.readexactly(FRAME.size))[0]:
                self.taken += await reader.readexactly(count)
            self.whole = True
            writer.write(json.dumps(self._answer).encode() + b"\n")
        except asyncio.IncompleteReadError:
            pass
        writer.close()


def test_a_body_arrives_whole_and_in_order(socket_path: str) -> None:
    taker = Taker()
    pieces = [bytes([number]) * 300_000 for number in range(20)]
    said = ask(socket_path, taker, "PUT", [*pieces, b""])
    assert taker.whole
    assert taker.taken == b"".join(pieces)
    assert said[0]["status"] == 202
    assert said[0]["headers"] == [(b"x-a", b"b")]  # the operation's header stays here


def test_one_very_long_piece_is_taken_in_parts(socket_path: str) -> None:
    taker, data = Taker(), bytes(range(256)) * 40_000
    ask(socket_path, taker, "PUT", [data])
    assert taker.taken == data


def test_a_client_that_hangs_up_never_looks_like_the_end(socket_path: str) -> None:
    taker = Taker()
    said = ask(socket_path, taker, "PUT", [b"a" * 2_000_000, None])
    assert said == []
    assert not taker.whole


def test_a_refusal_in_the_middle_is_told(socket_path: str) -> None:
    async def refuses(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.readexactly(1000)
        told = {"code": "invalid", "status": 422, "detail": "No image.", "hint": "Go."}
        writer.write(json.dumps(told).encode() + b"\n")
        writer.close()

    said = ask(socket_path, refuses, "PUT", [b"a" * 500_000] * 30)
    assert said[0]["status"] == 422
    told = json.loads(said[1]["body"])
    assert (told["detail"], told["hint"]) == ("No image.", "Go.")
    assert (b"connection", b"close") not in said[0]["headers"]  # all of it was read


def test_a_child_that_dies_is_no_success(socket_path: str) -> None:
    async def dies(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1000)
        writer.close()

    said = ask(socket_path, dies, "PUT", [b"a" * 500_000] * 3)
    assert said[0]["status"] == 409
    assert "went away" in json.loads(said[1]["body"])["detail"]


def test_what_django_refuses_reaches_nobody(socket_path: str) -> None:
    async def no(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 403, "headers": []})
        await send({"type": "http.response.body", "body": b"no"})

    taker = Taker()
    said = ask(socket_path, taker, "PUT", [b"a" * 1000, b"b"], no)
    assert (said[0]["status"], said[1]["body"]) == (403, b"no")
    assert taker.taken == b""


def giver(length: int, *pieces: bytes, end: bool = True) -> Child:
    """A child that says it has so much, and sends these."""

    async def give(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(json.dumps({"length": length}).encode() + b"\n")
        for piece in pieces:
            writer.write(FRAME.pack(len(piece)) + piece)
        if end:
            writer.write(FRAME.pack(0))
        writer.close()

    return give


def got(said: Answer) -> bytes:
    return b"".join(message.get("body", b"") for message in said)


def test_content_is_read_to_its_end(socket_path: str) -> None:
    said = ask(socket_path, giver(6, b"abc", b"def"), "GET", [b""])
    assert said[0]["status"] == 200
    assert (b"content-length", b"6") in said[0]["headers"]
    assert got(said) == b"abcdef"
    assert said[-1].get("more_body", False) is False


def test_the_last_of_it_comes_when_its_operation_has_ended(
    socket_path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []

    def is_active(operation: Any) -> bool:
        assert operation == OPERATION
        asked.append(b"def" in got(heard))
        return len(asked) < 3

    heard: Answer = []
    monkeypatch.setattr(streaming, "_is_active", is_active)
    said = ask(socket_path, giver(6, b"abc", b"def"), "GET", [b""], heard=heard)
    assert asked == [False, False, False]
    assert got(said) == b"abcdef"


def test_nothing_is_content_too(socket_path: str) -> None:
    said = ask(socket_path, giver(0), "GET", [b""])
    assert (b"content-length", b"0") in said[0]["headers"]
    assert got(said) == b""


@pytest.mark.parametrize(
    "child",
    [giver(6, b"abc", end=False), giver(6, b"abc")],
    ids=["cut off", "shorter than it was"],
)
def test_content_that_ends_too_early_has_no_end(socket_path: str, child: Child) -> None:
    said = ask(socket_path, child, "GET", [b""])
    assert said[0]["status"] == 200
    assert all(message.get("more_body", True) for message in said)


def test_content_that_has_grown_is_as_long_as_it_was_said_to_be(
    socket_path: str,
) -> None:
    said = ask(socket_path, giver(4, b"abc", b"def"), "GET", [b""])
    assert got(said) == b"abcd"


def test_a_reader_that_leaves_is_not_read_for(socket_path: str) -> None:
    pieces = [b"x" * 1000] * 50
    said = ask(socket_path, giver(50_000, *pieces), "GET", [b"", None])
    assert len(got(said)) < 50_000
