"""The live socket. It carries news down and never a command up.

browser → {"subscribe": ["guests", "guest:UUID", "hosts", "host:ID", "operations"],
           "since": TIME of the page, when it wants what it missed}
          {"unsubscribe": [...]}
server  → {"seq": 1, "topic": "guests", "type": "state" | "stats" | "operation" |
           "removed", "at": TIME, "data": {...}}

And words of its own: "subscribed" and "error" about one topic, "alive" now and then,
"stale" (no news can come now) and "resync" (some may have been lost: ask again).
Closed with 4401 when nobody is signed in, 4403 when that ended, 4408 when the listener
cannot keep up.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from kvmweb.accounts.models import User
from kvmweb.errors import NotFound
from kvmweb.live.hub import hub
from kvmweb.live.identity import Caller, caller, in_thread, same_site
from kvmweb.live.listener import Listener
from kvmweb.live.topics import Filter, open_topic

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

NOT_KNOWN, ENDED, TOO_SLOW, TOO_BIG, GONE = 4401, 4403, 4408, 1009, 0
TOPICS = 200
MESSAGE_LIMIT = 64 * 1024
SEND_S = 10.0
ASK_AGAIN_S = 10.0


async def live(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve one socket until it ends."""
    await receive()  # websocket.connect
    if not same_site(scope):
        await send({"type": "websocket.close"})  # before accepting: a plain 403
        return
    known = caller(scope)
    user = await in_thread(known.user)
    await send({"type": "websocket.accept"})
    if user is None:
        await _close(send, NOT_KNOWN)
        return
    listener = Listener(user.pk)
    socket = _Socket(known, user, listener, receive, send)
    hub().join(listener)
    try:
        code = await socket.run()
    finally:
        hub().leave(listener)
    if code != GONE:
        await _close(send, code)


async def _close(send: Send, code: int) -> None:
    with suppress(TimeoutError, OSError):
        async with asyncio.timeout(1):
            await send({"type": "websocket.close", "code": code})


class _Socket:
    """Three loops beside each other; the first to end says with which code."""

    def __init__(
        self,
        known: Caller,
        user: User,
        listener: Listener,
        receive: Receive,
        send: Send,
    ) -> None:
        self._caller, self._user, self._listener = known, user, listener
        self._receive, self._send = receive, send

    async def run(self) -> int:
        loops = [
            asyncio.create_task(loop())
            for loop in (self._read, self._write, self._ask_again)
        ]
        try:
            done, _ = await asyncio.wait(loops, return_when=asyncio.FIRST_COMPLETED)
            return next(iter(done)).result()
        except OSError:  # the browser went while we wrote
            return GONE
        finally:
            for task in loops:
                task.cancel()
            await asyncio.gather(*loops, return_exceptions=True)

    async def _read(self) -> int:
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                return GONE
            text = message.get("text") or ""
            if len(text) > MESSAGE_LIMIT:
                return TOO_BIG
            await self._obey(text)

    async def _write(self) -> int:
        while True:
            await self._listener.wake.wait()
            for text in self._listener.take():
                try:
                    async with asyncio.timeout(SEND_S):
                        await self._send({"type": "websocket.send", "text": text})
                except TimeoutError:
                    return TOO_SLOW
            if self._listener.behind:
                return TOO_SLOW

    async def _ask_again(self) -> int:
        doubt = self._listener.doubt
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(ASK_AGAIN_S):
                    await doubt.wait()
            doubt.clear()
            user = await in_thread(self._caller.user)
            if user is None:
                return ENDED
            self._user = user
            self._listener.tell("alive" if hub().connected else "stale")
            names = list(self._listener.filters)
            for name, hear in (await in_thread(_open_all, user, names)).items():
                if hear is None:
                    hub().unsubscribe(self._listener, name)
                    self._refuse(name)
                elif name in self._listener.filters:
                    self._listener.filters[name] = hear

    async def _obey(self, text: str) -> None:
        try:
            wish = json.loads(text)
            wanted, unwanted = wish.get("subscribe", []), wish.get("unsubscribe", [])
            since = str(wish.get("since", ""))
            names = [*wanted, *unwanted]
        except (ValueError, AttributeError, TypeError, RecursionError):
            names = [None]
        if not all(isinstance(name, str) for name in names):
            said = 'Send {"subscribe": [topic, …]} or {"unsubscribe": [topic, …]}.'
            self._listener.tell("error", "", {"code": "invalid", "message": said})
            return
        for name in unwanted:
            hub().unsubscribe(self._listener, name)
        await self._subscribe(wanted, since)

    async def _subscribe(self, wanted: list[str], since: str) -> None:
        room = TOPICS - len(self._listener.filters)
        new = [n for n in dict.fromkeys(wanted) if n not in self._listener.filters]
        for name in new[room:]:
            said = f"One socket listens to at most {TOPICS} topics."
            self._listener.tell("error", name, {"code": "invalid", "message": said})
        opened = await in_thread(_open_all, self._user, new[:room])
        for name, hear in opened.items():
            if hear is None:
                self._refuse(name)
                continue
            self._listener.filters[name] = hear
            hub().subscribe(self._listener, name)
        if since:
            hub().catch_up(self._listener, list(opened), since)

    def _refuse(self, name: str) -> None:
        said = "There is no such topic, or it is not yours."
        self._listener.tell("error", name, {"code": NotFound.code, "message": said})


def _open_all(user: User, names: list[str]) -> dict[str, Filter | None]:
    opened: dict[str, Filter | None] = {}
    for name in names:
        try:
            opened[name] = open_topic(user, name)
        except NotFound:
            opened[name] = None
    return opened
