"""Seconds, standstill and bytes, before a move is made. Pure."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guests.migration.cost import MIB, Link, Load, estimate
from guests.migration.wishes import POLICIES, MoveWish

IDLE = Load(memory_bytes=1024 * MIB, used_bytes=200 * MIB, dirty_bytes_s=0)
LINK = Link(bytes_s=100 * MIB, measured=True, setup_s=0.5, standstill_ms=50)


def test_an_idle_guest_takes_its_used_memory_over_the_link() -> None:
    told = estimate(IDLE, LINK)
    assert told.seconds == pytest.approx(0.5 + 2.0, abs=0.01)
    assert (told.downtime_ms, told.bytes, told.converges) == (50, 200 * MIB, True)


def test_copied_disks_go_the_same_way_first() -> None:
    told = estimate(replace(IDLE, disk_bytes=1000 * MIB), LINK)
    assert told.seconds == pytest.approx(12.5, abs=0.01)
    assert told.bytes == 1200 * MIB


def test_what_is_written_meanwhile_is_sent_again() -> None:
    told = estimate(replace(IDLE, dirty_bytes_s=50 * MIB), LINK)
    assert told.converges
    assert told.bytes > 200 * MIB
    assert told.seconds > estimate(IDLE, LINK).seconds


def test_a_guest_that_writes_faster_than_the_link_does_not_converge() -> None:
    fast = replace(IDLE, dirty_bytes_s=150 * MIB)
    for policy, word in (
        ("must-finish", "throttling"),
        ("post-copy", "post-copy"),
        ("least-downtime", "without throttling or post-copy"),
    ):
        told = estimate(fast, LINK, MoveWish(policy=policy))
        assert not told.converges
        assert word in told.why


def test_post_copy_stands_still_no_longer_than_an_idle_guest() -> None:
    fast = replace(IDLE, dirty_bytes_s=500 * MIB)
    told = estimate(fast, LINK, MoveWish(policy="post-copy"))
    assert told.downtime_ms == estimate(IDLE, LINK).downtime_ms


def test_a_limit_of_speed_makes_it_longer() -> None:
    slow = estimate(IDLE, LINK, MoveWish(bandwidth_mib_s=10))
    assert slow.seconds > 8 * (estimate(IDLE, LINK).seconds - 0.5)


def test_a_guest_that_is_off_stands_still_for_nothing() -> None:
    told = estimate(replace(IDLE, live=False, disk_bytes=100 * MIB), LINK)
    assert (told.downtime_ms, told.bytes) == (0, 100 * MIB)
    assert told.seconds == pytest.approx(1.5, abs=0.01)


def test_what_nobody_measured_is_said() -> None:
    told = estimate(Load(memory_bytes=256 * MIB), Link())
    assert "not measured yet" in told.why
    assert told.bytes == 256 * MIB


patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
loads = st.builds(
    Load,
    memory_bytes=st.integers(0, 2**40),
    used_bytes=st.one_of(st.none(), st.integers(0, 2**41)),
    dirty_bytes_s=st.one_of(st.none(), st.floats(0, 2**40)),
    disk_bytes=st.integers(0, 2**44),
    disk_dirty_bytes_s=st.floats(0, 2**34),
    live=st.booleans(),
)
links = st.builds(
    Link,
    bytes_s=st.floats(1, 2**36),
    measured=st.booleans(),
    setup_s=st.floats(0, 60),
    standstill_ms=st.integers(0, 10_000),
)
wishes = st.builds(
    MoveWish,
    policy=st.sampled_from(POLICIES),
    max_downtime_ms=st.one_of(st.none(), st.integers(1, 60_000)),
    bandwidth_mib_s=st.one_of(st.none(), st.integers(1, 100_000)),
    auto_converge=st.one_of(st.none(), st.booleans()),
)


@patient
@given(loads, links, wishes)
def test_it_always_ends_with_sensible_numbers(
    load: Load, link: Link, wish: MoveWish
) -> None:
    told = estimate(load, link, wish)
    assert told.seconds >= 0
    assert told.downtime_ms >= 0
    assert told.bytes >= load.disk_bytes
    assert told.why.endswith(".")


@patient
@given(loads, links)
def test_a_faster_link_never_takes_longer_for_an_idle_guest(
    load: Load, link: Link
) -> None:
    idle = replace(load, dirty_bytes_s=0.0, disk_dirty_bytes_s=0.0)
    faster = replace(link, bytes_s=link.bytes_s * 2)
    assert estimate(idle, faster).seconds <= estimate(idle, link).seconds + 0.01


@patient
@given(loads, links)
def test_more_to_copy_never_takes_less(load: Load, link: Link) -> None:
    more = replace(load, disk_bytes=load.disk_bytes + 2**30)
    assert estimate(more, link).seconds >= estimate(load, link).seconds
