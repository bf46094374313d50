"""One a web process: hears all news from Redis once and hands it to who may know."""

import asyncio
import contextlib
import json
import logging
from collections import OrderedDict, defaultdict, deque
from typing import Any
from weakref import WeakKeyDictionary

from django.conf import settings
from django.utils import timezone
from redis import RedisError
from redis.asyncio.connection import AbstractConnection, ConnectionPool

from kvmweb.live.listener import Item, Listener
from kvmweb.live.news import CHANNEL, moment

log = logging.getLogger(__name__)

BATCH_S = 0.05  # numbers may wait this long for company; everything else goes at once
PING_S = 3.0
SILENCE_S = 8.0  # no answer to a ping for so long: the connection is dead
RETRY_S = 1.0
REMEMBERED = 500  # items for who subscribes a moment after their page was made
SENDERS = 256


class Hub:
    """The listeners of this process, and the one subscription that feeds them."""

    def __init__(self) -> None:
        self.listeners: set[Listener] = set()
        self.connected = False
        self._topics: defaultdict[str, set[Listener]] = defaultdict(set)
        self._past: deque[Item] = deque(maxlen=REMEMBERED)
        self._past_since = "~"  # later than any time
        self._numbers: OrderedDict[str, int] = OrderedDict()
        self._batched: set[Listener] = set()
        self._task: asyncio.Task[None] | None = None

    def join(self, listener: Listener) -> None:
        """Take a new socket in."""
        self.listeners.add(listener)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._stay_connected())
        elif not self.connected:
            listener.tell("stale")

    def leave(self, listener: Listener) -> None:
        """Forget a socket."""
        self.listeners.discard(listener)
        self._batched.discard(listener)
        for topic in listener.filters:
            self._off(listener, topic)

    def subscribe(self, listener: Listener, topic: str) -> None:
        """Hand the topic's news to the listener, whose filter for it is set."""
        self._topics[topic].add(listener)
        listener.tell("subscribed", topic)

    def catch_up(self, listener: Listener, topics: list[str], since: str) -> None:
        """Hand on what these topics said after `since`, or say that it is not known."""
        if not self.connected:
            return  # once Redis is there, everybody is told to ask again
        if since < self._past_since:
            listener.tell("resync")
            return
        for item in self._past:
            if item.topic in topics and item.at > since:
                listener.hear(item)

    def unsubscribe(self, listener: Listener, topic: str) -> None:
        """No more of this topic."""
        listener.filters.pop(topic, None)
        self._off(listener, topic)

    async def close(self) -> None:
        """Let go of Redis."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    def _off(self, listener: Listener, topic: str) -> None:
        self._topics[topic].discard(listener)
        if not self._topics[topic]:
            del self._topics[topic]

    async def _stay_connected(self) -> None:
        pool = ConnectionPool.from_url(
            settings.REDIS_URL, socket_connect_timeout=2, protocol=2
        )
        while True:
            connection: AbstractConnection = pool.make_connection()  # type: ignore[no-untyped-call]
            try:
                await self._listen(connection)
            except (RedisError, OSError, TimeoutError) as error:
                log.warning("Live news stopped: Redis said %s.", error)
            finally:
                await connection.disconnect(nowait=True)
            self._say_connected(connected=False)
            await asyncio.sleep(RETRY_S)

    async def _listen(self, connection: AbstractConnection) -> None:
        """Hand on what comes until the connection dies."""
        await connection.connect()  # type: ignore[no-untyped-call]
        await connection.send_command("SUBSCRIBE", CHANNEL)
        pings = asyncio.create_task(_ping(connection))
        try:
            while True:
                async with asyncio.timeout(SILENCE_S):
                    reply = await connection.read_response()
                if reply[0] == b"message":
                    self._batch(reply[2].decode())
                elif reply[0] == b"subscribe":
                    self._say_connected(connected=True)
        finally:
            pings.cancel()
            with contextlib.suppress(asyncio.CancelledError, RedisError, OSError):
                await pings

    def _say_connected(self, *, connected: bool) -> None:
        if connected:
            self._past.clear()
            self._past_since = moment(timezone.now())
            self._numbers.clear()
        if connected != self.connected:
            self.connected = connected
            self._tell_all("resync" if connected else "stale")

    def _tell_all(self, kind: str) -> None:
        for listener in self.listeners:
            listener.tell(kind)

    def _batch(self, text: str) -> None:
        head, *lines = text.split("\n")
        self._notice_gap(*json.loads(head))
        for index in range(0, len(lines) - 1, 2):
            topic, kind, third = json.loads(lines[index])
            if topic:
                self._hand_on(Item(topic, kind, third, lines[index + 1]))
            else:
                self._doubt(third)

    def _notice_gap(self, sender: str, number: int) -> None:
        last = self._numbers.pop(sender, None)
        self._numbers[sender] = number
        if len(self._numbers) > SENDERS:
            self._numbers.popitem(last=False)
        if last is not None and number > last + 1:
            self._past.clear()
            self._past_since = moment(timezone.now())
            self._tell_all("resync")

    def _hand_on(self, item: Item) -> None:
        urgent = item.kind != "stats"
        if urgent:
            self._remember(item)
        for listener in self._topics.get(item.topic, ()):
            if not listener.hear(item):
                continue
            if urgent:
                listener.wake.set()
            else:
                self._wake_soon(listener)

    def _remember(self, item: Item) -> None:
        if len(self._past) == REMEMBERED:
            self._past_since = self._past[0].at
        self._past.append(item)

    def _wake_soon(self, listener: Listener) -> None:
        if not self._batched:
            asyncio.get_running_loop().call_later(BATCH_S, self._wake_batched)
        self._batched.add(listener)

    def _wake_batched(self) -> None:
        for listener in self._batched:
            listener.wake.set()
        self._batched.clear()

    def _doubt(self, user_id: Any) -> None:
        for listener in self.listeners:
            if listener.user_id == user_id:
                listener.doubt.set()


async def _ping(connection: AbstractConnection) -> None:
    while True:
        await asyncio.sleep(PING_S)
        await connection.send_command("PING")


_HUBS: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def hub() -> Hub:
    """The hub of the running event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _HUBS:
        _HUBS[loop] = Hub()
    return _HUBS[loop]
