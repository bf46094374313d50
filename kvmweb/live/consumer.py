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
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from channels.exceptions import DenyConnection, StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import DatabaseError

from kvmweb.accounts.models import User
from kvmweb.errors import NotFound
from kvmweb.live.hub import hub
from kvmweb.live.identity import caller, in_thread, same_site
from kvmweb.live.listener import Listener
from kvmweb.live.topics import Filter, open_topic

log = logging.getLogger(__name__)

NOT_KNOWN, ENDED, TOO_SLOW, TOO_BIG, BROKEN = 4401, 4403, 4408, 1009, 1011
TOPICS = 200
MESSAGE_LIMIT = 64 * 1024
SEND_S = 10.0
ASK_AGAIN_S = 10.0


class LiveConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]  # Channels has no hints
    """One listener. Beside what the browser says, two loops live as long as it does."""

    channel_layer_alias = ""  # none: the hub hears Redis once for the whole process
    listener: Listener
    user: User

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve the socket until the browser or one of the loops ends it."""
        self._main = asyncio.current_task()
        self._loops: list[asyncio.Task[None]] = []
        self._over = False
        try:
            await super().__call__(scope, receive, send)
        except asyncio.CancelledError:
            if not self._over:
                raise
        finally:
            for loop in self._loops:
                loop.cancel()
            await asyncio.gather(*self._loops, return_exceptions=True)
            if self._loops:
                hub().leave(self.listener)

    async def connect(self) -> None:
        """Let in who is known and comes from our own pages."""
        if not same_site(self.scope):
            raise DenyConnection  # before accepting: a plain 403
        self._caller = caller(self.scope)
        user = await in_thread(self._caller.user)
        await self.accept()
        if user is None:
            await self.close(NOT_KNOWN)
            raise StopConsumer
        self.user, self.listener = user, Listener(user.pk)
        hub().join(self.listener)
        self._loops = [
            asyncio.create_task(self._until_over(loop))
            for loop in (self._write, self._ask_again)
        ]

    async def receive(
        self, text_data: str | None = None, bytes_data: bytes | None = None
    ) -> None:
        """Subscribe and unsubscribe; nothing else can be asked for."""
        if len(text_data or "") > MESSAGE_LIMIT:
            await self.close(TOO_BIG)
            raise StopConsumer
        await self._obey(text_data or "")

    async def _until_over(self, loop: Callable[[], Awaitable[int]]) -> None:
        try:
            code = await loop()
        except OSError:
            return  # the browser went while we wrote: its own end is on the way
        except DatabaseError:
            log.exception("Rights could not be asked again.")
            code = BROKEN
        with suppress(TimeoutError, OSError):
            async with asyncio.timeout(1):  # a deaf one does not take this either
                await self.close(code)
        self._over = True
        if self._main:
            self._main.cancel()

    async def _write(self) -> int:
        while True:
            await self.listener.wake.wait()
            for text in self.listener.take():
                try:
                    async with asyncio.timeout(SEND_S):
                        await self.send(text)
                except TimeoutError:
                    return TOO_SLOW
            if self.listener.behind:
                return TOO_SLOW

    async def _ask_again(self) -> int:
        doubt = self.listener.doubt
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(ASK_AGAIN_S):
                    await doubt.wait()
            doubt.clear()
            user = await in_thread(self._caller.user)
            if user is None:
                return ENDED
            self.user = user
            self.listener.tell("alive" if hub().connected else "stale")
            names = list(self.listener.filters)
            for name, hear in (await in_thread(_open_all, user, names)).items():
                if hear is None:
                    hub().unsubscribe(self.listener, name)
                    self._refuse(name)
                elif name in self.listener.filters:
                    self.listener.filters[name] = hear

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
            self.listener.tell("error", "", {"code": "invalid", "message": said})
            return
        for name in unwanted:
            hub().unsubscribe(self.listener, name)
        await self._subscribe(wanted, since)

    async def _subscribe(self, wanted: list[str], since: str) -> None:
        room = TOPICS - len(self.listener.filters)
        new = [n for n in dict.fromkeys(wanted) if n not in self.listener.filters]
        for name in new[room:]:
            said = f"One socket listens to at most {TOPICS} topics."
            self.listener.tell("error", name, {"code": "invalid", "message": said})
        opened = await in_thread(_open_all, self.user, new[:room])
        for name, hear in opened.items():
            if hear is None:
                self._refuse(name)
                continue
            self.listener.filters[name] = hear
            hub().subscribe(self.listener, name)
        if since:
            hub().catch_up(self.listener, list(opened), since)

    def _refuse(self, name: str) -> None:
        said = "There is no such topic, or it is not yours."
        self.listener.tell("error", name, {"code": NotFound.code, "message": said})


def _open_all(user: User, names: list[str]) -> dict[str, Filter | None]:
    opened: dict[str, Filter | None] = {}
    for name in names:
        try:
            opened[name] = open_topic(user, name)
        except NotFound:
            opened[name] = None
    return opened


live = LiveConsumer.as_asgi()
