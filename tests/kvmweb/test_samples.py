"""Numbers: now, over the last hour, and rolled up for a year."""

import json
import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from redis import Redis

from kvmweb import samples
from kvmweb.errors import Invalid
from kvmweb.rollups import rolling
from kvmweb.rollups.models import Rollup
from kvmweb.rollups.records import PACKED, Record, key_of_guest
from kvmweb.virt.ticks import PackedTick, packed_guest
from kvmweb.virt.types import GuestSample, HostSample, Tick

HOST = HostSample(50.0, 6 * 2**30, 2 * 2**30)
BUSY = GuestSample(75.0, 2**28, 2**29, 1000.0, 2000.0, 3000.0, 4000.0)
MUTE = GuestSample(None, None, None, None, None, None, None)


@pytest.fixture
def redis(redis_server: str) -> Iterator[Redis]:
    """An empty Redis."""
    client = Redis.from_url(redis_server)
    client.flushall()
    samples.STORE._quiet_until = 0.0
    yield client
    client.close()


def minutes_ago(minutes: float) -> float:
    """A time of a tick."""
    return time.time() - 60 * minutes


def test_now_is_the_last_tick(redis: Redis) -> None:
    busy, mute, unknown = uuid4(), uuid4(), uuid4()
    samples.write(7, Tick(time.time(), HOST, {busy: BUSY, mute: MUTE}))
    assert samples.latest([busy, mute, unknown]) == {busy: BUSY, mute: MUTE}
    assert samples.latest_of_hosts([7, 8]) == {7: HOST}


def test_a_packed_tick_is_the_same(redis: Redis) -> None:
    busy = uuid4()
    packed = PackedTick(time.time(), HOST, packed_guest(busy, BUSY))
    assert packed.guests == {busy: BUSY}
    samples.write(7, packed)
    assert samples.latest([busy]) == {busy: BUSY}


def test_what_is_old_is_not_now(redis: Redis) -> None:
    guest = uuid4()
    samples.write(7, Tick(time.time() - 11, HOST, {guest: BUSY}))
    assert samples.latest([guest]) == {}


def test_live_pages_hear_every_tick_once(redis: Redis) -> None:
    guest = uuid4()
    with redis.pubsub() as ears:
        ears.subscribe("kvmweb:live")
        ears.get_message(timeout=2)
        samples.write(7, Tick(time.time(), HOST, {guest: BUSY}))
        message: Any = ears.get_message(timeout=2)
    lines = [json.loads(line) for line in message["data"].decode().split("\n")]
    said = {
        head[0]: (head[1], data)
        for head, data in zip(lines[1::2], lines[2::2], strict=True)
    }
    numbers = {
        "cpu_percent": 75.0,
        "memory_bytes": 2**28,
        "memory_host_bytes": 2**29,
        "disk_read_bytes_s": 1000,
        "disk_write_bytes_s": 2000,
        "net_rx_bytes_s": 3000,
        "net_tx_bytes_s": 4000,
    }
    assert said["guests"] == ("stats", {"host": 7, "guests": {str(guest): numbers}})
    kind, single = said[f"guest:{guest}"]
    assert kind == "stats"
    assert single.pop("at")
    assert single == numbers
    assert said["hosts"][1]["hosts"]["7"]["cpu_percent"] == 50.0
    assert said["host:7"][1]["memory_free_bytes"] == 2 * 2**30
    assert said["host:7"][1]["net_tx_bytes_s"] == 4000


def test_an_hour_keeps_every_tick_and_its_gaps(redis: Redis, db: None) -> None:
    guest = uuid4()
    now = time.time() // 2 * 2
    for seconds in (0, 2, 6, 20, 3590):  # 4 is late and bridged, 8 to 18 are a gap
        samples.write(7, Tick(now - seconds, HOST, {guest: BUSY}))
    series = samples.guest_series(guest, "1h")
    cpu = series.series["cpu_percent"]
    assert (series.step_seconds, len(series.times), len(cpu)) == (2, 1800, 1800)
    assert cpu[-4:] == [75.0, 75.0, 75.0, 75.0]
    assert cpu[-10:-4] == [None] * 6
    assert cpu[-11] == 75.0
    assert [n for n in cpu[:100] if n is not None] == [75.0]


def test_hosts_have_the_rates_of_their_guests_together(redis: Redis, db: None) -> None:
    tick = Tick(time.time(), HOST, {uuid4(): BUSY, uuid4(): BUSY, uuid4(): MUTE})
    samples.write(7, tick)
    series = samples.host_series(7, "1h").series
    assert 50.0 in series["cpu_percent"][-2:]
    assert max(n for n in series["disk_read_bytes_s"] if n is not None) == 2000
    assert max(n for n in series["memory_free_bytes"] if n is not None) == 2 * 2**30


def test_minutes_are_kept_when_redis_forgets(redis: Redis, db: None) -> None:
    guest = uuid4()
    for minutes in (50, 30, 10, 5, 0):
        samples.write(7, Tick(minutes_ago(minutes), HOST, {guest: BUSY}))
    known(redis, guest)
    assert rolling.roll_up() > 0
    assert rolling.roll_up() == 0  # nothing new
    redis.flushall()
    cpu = samples.guest_series(guest, "6h").series["cpu_percent"]
    assert [n for n in cpu if n is not None] == [75.0] * 4
    for span in ("1d", "7d", "30d", "1y"):
        cpu = samples.guest_series(guest, span).series["cpu_percent"]
        assert set(cpu) == {None, 75.0}, span


def test_what_is_not_rolled_up_yet_is_shown_from_redis(redis: Redis, db: None) -> None:
    guest = uuid4()
    samples.write(7, Tick(time.time(), HOST, {guest: BUSY}))
    cpu = samples.guest_series(guest, "6h").series["cpu_percent"]
    assert [n for n in cpu if n is not None] == [75.0]


def test_minutes_last_a_week_and_hours_a_year(redis: Redis, db: None) -> None:
    guest = uuid4()
    this_hour = int(time.time()) // 3600
    record = Record(1, 75.0, 1, 1, 0.0, 0.0, 0.0, 0.0)
    for hours in (0, 8 * 24, 366 * 24):
        slot = (this_hour - hours) * 1800
        packed = PACKED.pack(*record._replace(slot=slot))
        Rollup.objects.create(
            subject=key_of_guest(guest),
            hour=this_hour - hours,
            minutes=packed,
            average=packed,
        )
    rolling.forget()
    kept = Rollup.objects.order_by("-hour").values_list("minutes", "average")
    assert [(bool(minutes), bool(average)) for minutes, average in kept] == [
        (True, True),
        (False, True),
    ]
    cpu = samples.guest_series(guest, "30d").series["cpu_percent"]
    assert [n for n in cpu if n is not None] == [75.0, 75.0]


@pytest.mark.parametrize("span", ["", "2h", "1h; DROP", "∞"])
def test_another_range_is_refused(span: str) -> None:
    with pytest.raises(Invalid, match="1h, 6h"):
        samples.guest_series(UUID(int=1), span)


def test_without_redis_there_are_no_numbers_at_once(
    settings: Any, db: None, tmp_path: Any
) -> None:
    settings.REDIS_URL = f"unix://{tmp_path}/nobody.sock"
    store = samples._Store()
    begun = time.monotonic()
    assert store.ask("PING") is None
    store.run(1, "", 1, "", "", "", b"")
    assert time.monotonic() - begun < 1


def test_a_redis_that_hangs_costs_a_second_and_then_nothing(
    settings: Any, tmp_path: Any
) -> None:
    import socket

    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "r.sock"))
        server.listen()
        settings.REDIS_URL = f"unix://{tmp_path}/r.sock"
        store = samples._Store()
        begun = time.monotonic()
        store.run(1, "", 1, "", "", "", b"")
        first = time.monotonic() - begun
        store.run(1, "", 1, "", "", "", b"")
        assert first < 3
        assert time.monotonic() - begun - first < 0.1


def test_a_redis_that_was_restarted_is_found_again(redis: Redis) -> None:
    guest = uuid4()
    samples.write(7, Tick(time.time(), HOST, {guest: BUSY}))
    redis.script_flush()
    redis.client_kill_filter(_type="normal", skipme=True)
    samples.STORE._quiet_until = 0.0
    for _ in range(2):
        samples.write(7, Tick(time.time(), HOST, {guest: MUTE}))
        samples.STORE._quiet_until = 0.0
    assert samples.latest([guest]) == {guest: MUTE}


def known(redis: Redis, guest: UUID) -> None:
    """As once a minute: this guest is to be rolled up."""
    redis.sadd("kvmweb:known", key_of_guest(guest))
