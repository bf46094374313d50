"""Telling live pages what came true, from any process.

News carries no truth of its own: what is lost while Redis is away is counted, and the
next message's number shows the gap, so that pages ask again (kvmweb.live.hub).
"""

import itertools
import json
import os
import secrets
import threading
import time
from collections.abc import Iterable
from datetime import UTC, date, datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from prometheus_client import Counter
from redis import ConnectionError as RedisConnectionError
from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

News = tuple[str, str, dict[str, Any]]  # topic, type, data

CHANNEL = "kvmweb:live"
WAIT_S = 0.5  # for Redis; a publisher is never held up longer than twice this
PAUSE_S = 1.0  # after a failure, so that a hung Redis costs little

DROPPED = Counter(
    "kvmweb_live_dropped", "Batches of live news not sent because Redis was away."
)


def publish(topic: str, kind: str, data: dict[str, Any]) -> None:
    """Tell who listens to the topic; inside a transaction, once it is committed.

    Never raises, and never waits for Redis longer than a second.
    """
    publish_many([(topic, kind, data)])


def publish_many(news: Iterable[News]) -> None:
    """Tell all of these in one batch, in this order; else like `publish`."""
    at = moment(timezone.now())
    lines: list[str] = []
    for topic, kind, data in news:
        lines += (_text([topic, kind, at]), _text(data))
    if lines:
        _when_committed(partial(_SENDER.send, "\n".join(lines)))


def rights_changed(user_id: int) -> None:
    """Make every socket of this user ask at once what it may still hear."""
    _when_committed(partial(_SENDER.send, _text(["", "rights", user_id]) + "\nnull"))


def moment(at: datetime) -> str:
    """A time as it is written on the wires: RFC 3339, UTC, milliseconds."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def _when_committed(send: partial[None]) -> None:
    connection = transaction.get_connection()
    if connection.in_atomic_block:
        transaction.on_commit(send)
    else:
        send()


def _text(value: object) -> str:
    return json.dumps(value, default=_plain, separators=(",", ":"))


def _plain(value: object) -> object:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (set, frozenset, tuple)):
        return list(value)
    raise TypeError(f"{type(value).__name__} cannot be news.")


class _Sender:
    """This process's mouth: numbers its batches, so that a lost one is noticed."""

    def __init__(self) -> None:
        self._name = secrets.token_hex(4)
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._quiet_until = 0.0
        self._redis: Redis | None = None

    def send(self, lines: str) -> None:
        if not self._lock.acquire(timeout=2 * WAIT_S):
            self._drop()
            return
        try:
            if time.monotonic() < self._quiet_until:
                self._drop()
                return
            head = _text([f"{self._name}.{os.getpid()}", next(self._numbers)])
            self._connected().publish(CHANNEL, f"{head}\n{lines}")
        except RedisError:
            DROPPED.inc()
            self._quiet_until = time.monotonic() + PAUSE_S
        finally:
            self._lock.release()

    def _drop(self) -> None:
        next(self._numbers)
        DROPPED.inc()

    def _connected(self) -> Redis:
        if self._redis is None:
            self._redis = Redis.from_url(
                settings.REDIS_URL,
                socket_timeout=WAIT_S,
                socket_connect_timeout=WAIT_S,
                retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
            )
        return self._redis


_SENDER = _Sender()
