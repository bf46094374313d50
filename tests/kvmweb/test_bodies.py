"""A body is only read as far as it may be long, whatever its sender says of it."""

import asyncio
import json
from typing import Any

import pytest

from kvmweb.bodylimit import BodyLimit, Message, Receive, Scope, Send

MOST = 1000


async def _reads_all(_scope: Scope, receive: Receive, send: Send) -> None:
    """An application like Django: the whole body first."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"read"})


def _ask(path: str, chunks: list[bytes], told: bytes | None) -> tuple[int, bytes, int]:
    """The status, the body of the answer, and how many chunks were taken."""
    sent: list[Message] = []
    taken = 0

    async def receive() -> Message:
        nonlocal taken
        taken += 1
        more = taken < len(chunks)
        return {"type": "http.request", "body": chunks[taken - 1], "more_body": more}

    async def send(message: Message) -> None:
        sent.append(message)

    headers: Any = [] if told is None else [(b"content-length", told)]
    scope: Scope = {"type": "http", "path": path, "headers": headers}
    asyncio.run(BodyLimit(_reads_all, MOST)(scope, receive, send))
    return sent[0]["status"], sent[1]["body"], taken


def test_what_is_short_enough_is_read() -> None:
    assert _ask("/x/", [b"x" * 500] * 2, b"1000") == (200, b"read", 2)


def test_a_told_length_is_enough_to_refuse() -> None:
    status, _, taken = _ask("/x/", [b"x" * 500] * 3, b"1500")
    assert (status, taken) == (413, 3)  # let go of, so that the sender listens


@pytest.mark.parametrize("told", [None, b"10"])
def test_a_length_that_was_not_told_is_counted(told: bytes | None) -> None:
    status, _, taken = _ask("/x/", [b"x" * (1 << 20)] * 1000, told)
    assert status == 413
    assert taken < 20


def test_a_program_gets_a_problem() -> None:
    _, body, _ = _ask("/api/v1/users/", [b"x"], b"99999")
    assert json.loads(body)["status"] == 413
