"""No request's body grows beyond what is taken, whether its length was told or not.

Django reads a whole body before it looks at anything, and trusts the told length.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from kvmweb.doors import API, problem
from kvmweb.errors import AppError

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
DRAINED_BYTES = 16 << 20
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class TooLarge(AppError):
    """More was sent than is taken."""

    status, code, title = 413, "too_large", "Too large"


class BodyLimit:
    """An ASGI application that passes on requests of at most so many bytes."""

    def __init__(self, app: App, most_bytes: int) -> None:
        self.app = app
        self.most_bytes = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request, or answer 413."""
        counted = 0

        async def counting() -> Message:
            nonlocal counted
            message = await receive()
            counted += len(message.get("body", b""))
            if counted > self.most_bytes:
                raise _too_large()
            return message

        try:
            if _told_length(scope) > self.most_bytes:
                raise _too_large()
            await self.app(scope, counting, send)
        except TooLarge as error:
            await _drain(receive)
            await _refuse(scope, send, error)


def _too_large() -> TooLarge:
    return TooLarge("The body is larger than what is taken here.")


def _told_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and len(value) <= 20:
            return int(value)
    return 0


async def _drain(receive: Receive) -> None:
    """Let go of what is still coming, within reason: who is sending does not listen."""
    dropped, more = 0, True
    while more and dropped < DRAINED_BYTES:
        message = await receive()
        dropped += len(message.get("body", b""))
        more = message.get("more_body", False)


async def _refuse(scope: Scope, send: Send, error: TooLarge) -> None:
    """Answer, and end the connection: the rest of the body is not wanted."""
    body, kind = f"{error}\n".encode(), b"text/plain; charset=utf-8"
    if scope["path"].startswith(API):
        told = problem(error)
        body, kind = told.content, told.headers["Content-Type"].encode()
    await send(
        {
            "type": "http.response.start",
            "status": error.status,
            "headers": [
                (b"content-type", kind),
                (b"content-length", str(len(body)).encode()),
                (b"connection", b"close"),
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})
