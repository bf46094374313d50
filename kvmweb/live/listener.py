"""One open socket's ears: what it listens to and what waits to be sent to it."""

import asyncio
import json
import logging
from collections import deque
from functools import cached_property
from typing import Any

from django.utils import timezone

from kvmweb.live.news import moment
from kvmweb.live.topics import Filter

log = logging.getLogger(__name__)

QUEUE_LIMIT = 256  # messages; who is behind further than that cannot keep up


class Item:
    """One piece of news, read once and written once however many hear it."""

    def __init__(self, topic: str, kind: str, at: str, raw: str) -> None:
        self.topic, self.kind, self.at, self.raw = topic, kind, at, raw

    @cached_property
    def data(self) -> dict[str, Any]:
        """What it says."""
        read: dict[str, Any] = json.loads(self.raw)
        return read

    @cached_property
    def text(self) -> str:
        """The message's end, for everybody whose filter leaves it whole."""
        return self._written(self.raw)

    def heard(self, hear: Filter) -> str | None:
        """What this filter leaves of it as text; None when nothing."""
        seen = hear(self.kind, self.data)
        if seen is None:
            return None
        if seen is self.data:
            return self.text
        return self._written(json.dumps(seen, separators=(",", ":")))

    def _written(self, data: str) -> str:
        head = json.dumps({"topic": self.topic, "type": self.kind, "at": self.at})
        return f'{head[:-1]}, "data": {data}}}'


class Listener:
    """What one socket may hear, and the messages on their way to it."""

    def __init__(self, user_id: int) -> None:
        self.user_id = user_id
        self.filters: dict[str, Filter] = {}
        self.wake = asyncio.Event()  # something waits to be sent
        self.doubt = asyncio.Event()  # its rights must be asked again
        self.behind = False
        self._waiting: deque[str] = deque()
        self._number = 0

    def hear(self, item: Item) -> bool:
        """Queue what it may know of the item; whether there was anything."""
        hear = self.filters.get(item.topic)
        if hear is None:
            return False
        try:
            text = item.heard(hear)
        except (TypeError, KeyError, ValueError, AttributeError):
            log.exception("The filter of %s failed.", item.topic)
            return False
        if text is None:
            return False
        self._queue(text)
        return True

    def tell(
        self, kind: str, topic: str = "", data: dict[str, Any] | None = None
    ) -> None:
        """Queue a word of our own: subscribed, error, stale, resync."""
        at = moment(timezone.now())
        word: dict[str, Any] = {"topic": topic, "type": kind, "at": at}
        self._queue(json.dumps(word | {"data": data or {}}))
        self.wake.set()

    def take(self) -> list[str]:
        """Everything that waits, oldest first; the queue is empty afterwards."""
        self.wake.clear()
        taken = list(self._waiting)
        self._waiting.clear()
        return taken

    def _queue(self, text: str) -> None:
        if len(self._waiting) >= QUEUE_LIMIT:
            self.behind = True
            self.wake.set()
            return
        self._number += 1
        self._waiting.append(f'{{"seq": {self._number}, {text[1:]}')
