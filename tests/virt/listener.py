"""Somebody who hears what an eye tells, for tests to ask about."""

import threading
import time
from collections.abc import Callable
from typing import Any

from kvmweb.virt.types import DomainSeen, News
from tests.waiting import until


class Listener:
    """Keeps all news with their times; `gone` makes the next one fail, as a pipe would."""

    def __init__(self) -> None:
        self.news: list[tuple[float, News]] = []
        self.gone = False
        self._lock = threading.Lock()

    def send(self, news: Any) -> None:
        """What a channel does."""
        if self.gone:
            raise BrokenPipeError
        with self._lock:
            self.news.append((time.monotonic(), news))

    def all(self, kind: type[Any] = object) -> list[Any]:
        """The news of a kind so far."""
        with self._lock:
            return [each for _, each in self.news if isinstance(each, kind)]

    def wait_for(
        self, kind: type[Any], fits: Callable[[Any], object] = bool, seconds: float = 10
    ) -> Any:
        """The first of a kind that fits, once it has come."""

        def found() -> list[Any]:
            return [each for each in self.all(kind) if fits(each)]

        why = f"No fitting {kind.__name__} in {seconds} s."
        until(found, seconds, pause=0.005, why=why)
        return found()[0]

    def wait_for_event(
        self, word: str, name: str = "", seconds: float = 10
    ) -> DomainSeen:
        """The guest as it was seen after such an event."""
        seen: DomainSeen = self.wait_for(
            DomainSeen,
            lambda each: each.event == word and name in ("", each.domain.name),
            seconds,
        )
        return seen

    def forget(self) -> None:
        """Begin anew."""
        with self._lock:
            self.news.clear()
