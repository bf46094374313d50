"""Numbers of guests and hosts: now, and over time.

The last hour lies in Redis, a ring of two-second records for each; a tick writes all
its records with one call. Older minutes and hours lie in the database. While Redis is
away there are no recent numbers, at once; nothing here raises for it.
"""

import hashlib
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from redis import ConnectionError as RedisConnectionError
from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError
from redis.retry import Retry

from kvmweb.errors import Invalid
from kvmweb.live.news import moment
from kvmweb.rollups import records
from kvmweb.rollups.models import Rollup
from kvmweb.rollups.records import STEP_S, Record, key_of_guest, key_of_host
from kvmweb.virt.ticks import PackedTick, packed_guest
from kvmweb.virt.types import GuestSample, HostSample, Tick

log = logging.getLogger(__name__)

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86400
SLOTS = HOUR_S // STEP_S
FRESH_S = 10  # older than this is not "now" any more
WAIT_S = 1.0
PAUSE_S = 2.0  # after a failure, so that a hung Redis costs little

SCRIPT = (Path(__file__).parent / "rollups" / "tick.lua").read_text()
_SHA = hashlib.sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()

# How long a chart is, and how long one of its steps.
RANGES = {
    "1h": (HOUR_S, STEP_S),
    "6h": (6 * HOUR_S, MINUTE_S),
    "1d": (DAY_S, MINUTE_S),
    "7d": (7 * DAY_S, 10 * MINUTE_S),
    "30d": (30 * DAY_S, HOUR_S),
    "1y": (365 * DAY_S, 12 * HOUR_S),
}

_RING = b"kvmweb:ring:"
_NOW = b"kvmweb:now:"
_KNOWN = "kvmweb:known"
_NOTHING = HostSample(None, None, None)


@dataclass(frozen=True, slots=True)
class Series:
    """Numbers over time: one value a step in each series, None where there is a gap."""

    step_seconds: int
    times: list[str]  # RFC 3339, UTC
    series: dict[str, list[float | None]]


def write(host_id: int, tick: Tick) -> None:
    """Keep the numbers of one tick and tell them to live pages, with one command.

    Topics "guests" and "hosts" get all, "guest:UUID" and "host:ID" their own. What
    Redis cannot take now is dropped.
    """
    host = tick.host
    packed = _packed(tick)
    if not packed and host == _NOTHING:
        return  # it only says that the host answers
    STORE.run(
        int(tick.at / STEP_S),
        moment(datetime.fromtimestamp(tick.at, UTC)),
        host_id,
        _number(host.cpu_percent),
        _number(host.memory_bytes),
        _number(host.memory_free_bytes),
        packed,
    )


def latest(uuids: Iterable[UUID]) -> dict[UUID, GuestSample]:
    """What these guests do now; without those of whom nothing was heard for 10 s."""
    keys = {key_of_guest(uuid): uuid for uuid in uuids}
    found = _fresh(list(keys))
    return {keys[key]: records.guest_sample(each) for key, each in found.items()}


def latest_of_hosts(host_ids: Iterable[int]) -> dict[int, HostSample]:
    """What these hosts do now, likewise."""
    keys = {key_of_host(host_id): host_id for host_id in host_ids}
    found = _fresh(list(keys))
    return {keys[key]: records.host_sample(each) for key, each in found.items()}


def guest_series(uuid: UUID, span: str) -> Series:
    """A guest's numbers over one of RANGES until now. Raises Invalid for another."""
    return _series(key_of_guest(uuid), span, "memory_host_bytes")


def host_series(host_id: int, span: str) -> Series:
    """A host's numbers, with the disk and network rates of its guests together."""
    return _series(key_of_host(host_id), span, "memory_free_bytes")


def everybody() -> list[bytes]:
    """The keys of all who said something within the last hours."""
    return list(STORE.ask("SMEMBERS", _KNOWN) or [])


def recent(keys: Sequence[bytes]) -> dict[bytes, list[Record]]:
    """The last hour of each, oldest first."""
    if not keys:
        return {}
    oldest = int(time.time()) // STEP_S - SLOTS
    told = STORE.ask("MGET", *(_RING + key for key in keys)) or [None] * len(keys)
    return {
        key: sorted(r for r in records.unpacked(ring or b"") if r.slot > oldest)
        for key, ring in zip(keys, told, strict=True)
    }


def forget(keys: Sequence[bytes]) -> None:
    """Do not name these among `everybody` until they say something again."""
    if keys:
        STORE.ask("SREM", _KNOWN, *keys)


def forget_host(host_id: int) -> None:
    """Drop all numbers of a host that was removed."""
    key = key_of_host(host_id)
    Rollup.objects.filter(subject=key).delete()
    transaction.on_commit(lambda: STORE.ask("DEL", _RING + key, _NOW + key))


def minutes_of(told: Iterable[Record]) -> dict[int, Record]:
    """One record for each minute (since the epoch) in which something was told."""
    minutes: dict[int, list[Record]] = defaultdict(list)
    for record in told:
        minutes[record.at // MINUTE_S].append(record)
    return {
        minute: records.averaged(each, minute * MINUTE_S // STEP_S)
        for minute, each in minutes.items()
    }


def _series(key: bytes, span: str, second: str) -> Series:
    if span not in RANGES:
        sentence = f"Give one of {', '.join(RANGES)}."
        raise Invalid(sentence, errors={"range": [sentence]})
    length_s, step_s = RANGES[span]
    steps = length_s // step_s
    first = int(time.time()) // step_s - steps + 1
    told: dict[int, list[Record]] = defaultdict(list)
    for record in _told(key, first * step_s, step_s):
        told[record.at // step_s].append(record)
    found = [_one(told.get(first + index, [])) for index in range(steps)]
    if step_s == STEP_S:
        _bridge(found)
    times = [_moment((first + index) * step_s) for index in range(steps)]
    return Series(step_s, times, _columns(found, second))


def _told(key: bytes, since_s: int, step_s: int) -> Iterator[Record]:
    """Everything kept of this key since then, no finer than a chart of such steps needs."""
    lately = recent([key])[key]
    if step_s == STEP_S:
        yield from lately
        return
    kept = Rollup.objects.filter(subject=key, hour__gte=since_s // HOUR_S)
    column = "minutes" if step_s < HOUR_S else "average"
    known = 0
    for packed in kept.order_by("hour").values_list(column, flat=True):
        for record in records.unpacked(bytes(packed)):
            known = max(known, record.at)
            yield record
    for minute, record in minutes_of(lately).items():
        if minute * MINUTE_S > known:
            yield record


def _one(told: Sequence[Record]) -> Record | None:
    if len(told) < 2:
        return told[0] if told else None
    return records.averaged(told, told[0].slot)


def _bridge(found: list[Record | None]) -> None:
    """A tick that was a little early or late left one step empty: no gap, a repetition."""
    for index in range(1, len(found) - 1):
        if found[index] is None and found[index + 1] is not None:
            found[index] = found[index - 1]


def _columns(
    found: Sequence[Record | None], second: str
) -> dict[str, list[float | None]]:
    said = [records.guest_sample(each) if each else None for each in found]
    names = {
        "cpu_percent": "cpu_percent",
        "memory_bytes": "memory_bytes",
        second: "memory_host_bytes",
        "disk_read_bytes_s": "disk_read_bytes_s",
        "disk_write_bytes_s": "disk_write_bytes_s",
        "net_rx_bytes_s": "net_rx_bytes_s",
        "net_tx_bytes_s": "net_tx_bytes_s",
    }
    return {
        name: [None if each is None else getattr(each, field) for each in said]
        for name, field in names.items()
    }


def _fresh(keys: Sequence[bytes]) -> dict[bytes, Record]:
    oldest = (time.time() - FRESH_S) / STEP_S
    return {key: each for key, each in _latest(keys).items() if each.slot >= oldest}


def _latest(keys: Sequence[bytes]) -> dict[bytes, Record]:
    if not keys:
        return {}
    told = STORE.ask("MGET", *(_NOW + key for key in keys)) or []
    return {
        key: records.unpacked(packed)[0]
        for key, packed in zip(keys, told, strict=False)
        if packed and len(packed) == records.PACKED.size
    }


def _packed(tick: Tick) -> bytes:
    if isinstance(tick, PackedTick):
        return tick.packed
    return b"".join(packed_guest(uuid, told) for uuid, told in tick.guests.items())


def _number(said: float | None) -> float | str:
    return "" if said is None else said


def _moment(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class _Store:
    """Redis with a short temper: away is an answer, and for a while the only one."""

    def __init__(self) -> None:
        self._redis: Redis | None = None
        self._own = threading.local()  # a connection for the script, in each thread
        self._quiet_until = 0.0

    def ask(self, *command: Any) -> Any:
        """What Redis answers; None while it is away."""
        if time.monotonic() < self._quiet_until:
            return None
        try:
            redis: Any = self._client()  # its execute_command has no types
            return redis.execute_command(*command)
        except (RedisError, OSError) as error:
            self._fell_silent(error)
            return None

    def run(self, *values: Any) -> None:
        """Run the script of a tick, unless Redis is away.

        Past the client's own machinery, which costs twice what is left.
        """
        if time.monotonic() < self._quiet_until:
            return
        connection: Any = getattr(self._own, "connection", None)
        try:
            if connection is None:
                connection = self._client().connection_pool.make_connection()
                self._own.connection = connection
            try:
                connection.send_command("EVALSHA", _SHA, 0, *values)
                connection.read_response()
            except NoScriptError:
                connection.send_command("EVAL", SCRIPT, 0, *values)
                connection.read_response()
        except (RedisError, OSError) as error:
            if connection is not None:
                connection.disconnect()
            self._fell_silent(error)

    def _fell_silent(self, error: Exception) -> None:
        self._quiet_until = time.monotonic() + PAUSE_S
        log.warning("Numbers are lost or not shown: Redis said %s.", error)

    def _client(self) -> Redis:
        if self._redis is None:
            self._redis = Redis.from_url(
                settings.REDIS_URL,
                socket_timeout=WAIT_S,
                socket_connect_timeout=WAIT_S,
                retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
            )
        return self._redis


STORE = _Store()
