"""Counters become rates; what cannot be known is None, never a guess and never NaN."""

import pickle
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvmweb.virt.stats import GuestMeter, HostMeter
from kvmweb.virt.ticks import PackedTick
from kvmweb.virt.types import GuestSample, HostSample

NOTHING = HostSample(None, None, None)
SECOND = 10**9


class Dom:
    """What the meter asks of a domain."""

    def __init__(self, number: int = 1) -> None:
        self.uuid = uuid4()
        self.number = number

    def ID(self) -> int:
        return self.number

    def UUID(self) -> bytes:
        return self.uuid.bytes


def said(cpu_s: float = 0, **more: int) -> dict[str, int]:
    """What libvirt says of a guest with one disk and one network card."""
    return {
        "cpu.time": int(cpu_s * SECOND),
        "balloon.current": 1024,
        "balloon.rss": 2048,
        "net.count": 1,
        "net.0.rx.bytes": 0,
        "net.0.tx.bytes": 0,
        "block.count": 1,
        "block.0.rd.bytes": 0,
        "block.0.wr.bytes": 0,
        **{name.replace("__", "."): number for name, number in more.items()},
    }


class Watched:
    """One guest, measured again and again."""

    def __init__(self, vcpus: int | None = 4) -> None:
        self.dom = Dom()
        vcpus_of = {} if vcpus is None else {self.dom.uuid.bytes: vcpus}
        self.meter = GuestMeter(vcpus_of)

    def at(self, now: float, told: dict[str, Any]) -> GuestSample:
        packed = self.meter.measure([(self.dom, told)], now, now)
        return PackedTick(0.0, NOTHING, packed).guests[self.dom.uuid]


def test_four_busy_vcpus_are_a_hundred_percent() -> None:
    guest = Watched(vcpus=4)
    assert guest.at(10, said(cpu_s=100)).cpu_percent is None
    assert guest.at(12, said(cpu_s=108)).cpu_percent == pytest.approx(100)
    assert guest.at(14, said(cpu_s=110)).cpu_percent == pytest.approx(25)
    assert guest.at(16, said(cpu_s=999)).cpu_percent == 100


def test_without_a_number_of_vcpus_there_is_no_percentage() -> None:
    guest = Watched(vcpus=None)
    guest.at(0, said())
    assert guest.at(2, said(cpu_s=1)).cpu_percent is None


def test_rates_are_bytes_a_second_of_all_devices() -> None:
    guest = Watched()
    second = {"net__count": 2, "net__1__rx__bytes": 0, "net__1__tx__bytes": 0}
    guest.at(0, said(**second))
    second["net__1__rx__bytes"] = 600
    sample = guest.at(
        2, said(net__0__rx__bytes=400, block__0__wr__bytes=1000, **second)
    )
    assert sample.net_rx_bytes_s == 500
    assert sample.disk_write_bytes_s == 500
    assert sample.disk_read_bytes_s == 0
    assert sample.net_tx_bytes_s == 0


def test_counters_that_began_anew_are_no_rate() -> None:
    guest = Watched()
    guest.at(0, said(cpu_s=50, net__0__rx__bytes=10**9))
    sample = guest.at(2, said(cpu_s=1, net__0__rx__bytes=5))
    assert (sample.cpu_percent, sample.net_rx_bytes_s) == (None, None)
    assert sample.disk_read_bytes_s == 0


def test_a_guest_that_started_again_is_another_to_the_counters() -> None:
    guest = Watched()
    guest.at(0, said())
    guest.dom.number = 2
    assert guest.at(2, said(cpu_s=8)).cpu_percent is None


def test_a_clock_that_stands_still_or_jumps_back_is_no_rate() -> None:
    guest = Watched()
    guest.at(10, said())
    assert guest.at(10, said(cpu_s=1)).cpu_percent is None
    assert guest.at(5, said(cpu_s=2)).cpu_percent is None


def test_a_busy_guest_that_was_passed_over_is_unknown_not_idle() -> None:
    guest = Watched()
    guest.at(0, said(block__0__rd__bytes=500))
    brief = {"cpu.time": 2 * SECOND, "balloon.rss": 10, "block.count": 1}
    sample = guest.at(2, brief)
    assert (sample.disk_read_bytes_s, sample.cpu_percent) == (None, None)
    assert (sample.memory_bytes, sample.memory_host_bytes) == (None, 10 * 1024)
    assert guest.at(4, said(cpu_s=4)).disk_read_bytes_s is None
    assert guest.at(6, said(cpu_s=6)).disk_read_bytes_s == 0


def test_a_guest_without_disks_reads_nothing() -> None:
    guest = Watched()
    bare = {"cpu.time": 0, "block.count": 0, "net.count": 0}
    guest.at(0, bare)
    sample = guest.at(2, bare)
    assert (sample.disk_read_bytes_s, sample.net_rx_bytes_s) == (0, 0)


@pytest.mark.parametrize(
    ("balloon", "used_kib"),
    [
        ({}, 1024),
        ({"balloon__available": 900, "balloon__unused": 300}, 600),
        (
            {
                "balloon__available": 900,
                "balloon__unused": 300,
                "balloon__usable": 700,
            },
            200,
        ),
        ({"balloon__available": 900, "balloon__unused": 901}, 1024),
        ({"balloon__available": 2**64 - 1, "balloon__unused": 0}, None),
    ],
)
def test_memory_is_what_the_guest_uses_or_was_given(
    balloon: dict[str, int], used_kib: int | None
) -> None:
    sample = Watched().at(0, said(**balloon))
    assert sample.memory_bytes == (None if used_kib is None else used_kib * 1024)
    assert sample.memory_host_bytes == 2048 * 1024


def test_a_tick_arrives_as_it_was_measured() -> None:
    guest = Watched()
    guest.at(0, said())
    packed = guest.meter.measure([(guest.dom, said(cpu_s=4))], 2, 2)
    tick = PackedTick(123.5, HostSample(1.5, 2, 3), packed)
    arrived = pickle.loads(pickle.dumps(tick))
    assert (arrived.at, arrived.host) == (123.5, HostSample(1.5, 2, 3))
    assert arrived.guests == {
        UUID(int=guest.dom.uuid.int): GuestSample(50, 2**20, 2**21, 0, 0, 0, 0)
    }


def test_a_tick_of_a_hundred_guests_is_small() -> None:
    doms = [Dom(number) for number in range(100)]
    packed = GuestMeter({}).measure([(dom, said()) for dom in doms], 0, 1)
    assert len(pickle.dumps(PackedTick(0, NOTHING, packed))) < 8000


_keys = st.sampled_from(
    [*said(), "balloon.available", "balloon.usable", "vcpu.current"]
)
_told = st.dictionaries(_keys, st.integers(-(2**64), 2**64))


@given(st.lists(st.tuples(st.floats(0, 1e6), _told), max_size=5))
def test_whatever_a_host_says_is_never_nan_and_never_an_error(
    told: list[tuple[float, dict[str, int]]],
) -> None:
    dom = Dom()
    meter = GuestMeter({dom.uuid.bytes: 1})
    for at, each in told:
        packed = meter.measure([(dom, each)], at, at)
        for sample in PackedTick(0, NOTHING, packed).guests.values():
            numbers = [getattr(sample, name) for name in sample.__slots__]
            assert all(each is None or each >= 0 for each in numbers)


def test_a_host_is_as_busy_as_it_was_not_idle() -> None:
    meter = HostMeter()
    memory = (1000, 400)
    first = meter.measure({"user": 0, "kernel": 0, "idle": 0, "iowait": 0}, memory)
    assert first == HostSample(None, 600, 400)
    second = meter.measure({"user": 2, "kernel": 1, "idle": 6, "iowait": 1}, memory)
    assert second.cpu_percent == pytest.approx(30)
    assert meter.measure({}, (None, None)) == NOTHING
    assert meter.measure({"user": 3, "idle": 3}, (None, 5)).cpu_percent is None
