"""A move climbs its ladder of downtimes, and ends by policy, never by chance."""

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from guests.migration import ladder
from guests.migration.ladder import POLICIES, Course, Seen, Step
from guests.migration.wishes import DOWNTIME_MOST_MS, MoveWish
from guests.migration.wishes import POLICIES as NAMES
from kvmweb.errors import Invalid

_MIB = 1024**2


def _walk(
    wish: MoveWish, *, rate: int, dirty: int, memory: int, longest_s: float = 7200
) -> tuple[list[Step], float, bool]:
    """A guest that writes so fast on a link so fast: steps, seconds, whether it ended."""
    course = Course(downtime_ms=ladder.start(wish).downtime_ms)
    allowed_ms, left, at_s, round_, sent = course.downtime_ms, float(memory), 0.0, 1, 0
    steps: list[Step] = []
    while at_s < longest_s:
        if left * 1000 / rate <= allowed_ms:
            return steps, at_s, True
        took_s = left / rate
        at_s, sent, round_ = at_s + took_s, sent + int(left), round_ + 1
        left = min(float(memory), took_s * dirty)
        seen = Seen(at_s, round_, int(left), rate, sent)
        course, step = ladder.step(wish, course, seen)
        if step != Step():
            steps.append(step)
        if step.give_up:
            return steps, at_s, False
        if step.post_copy:
            return steps, at_s + left / rate, True
        allowed_ms = step.downtime_ms or allowed_ms
    return steps, at_s, False


def test_each_policy_is_known_by_its_name() -> None:
    assert set(POLICIES) == set(NAMES)
    for name, policy in POLICIES.items():
        assert policy.name == name
        assert list(policy.downtimes_ms) == sorted(policy.downtimes_ms)
        assert policy.title
        assert policy.about.endswith(".")


def test_a_quiet_guest_needs_no_step_at_all() -> None:
    for name in ("least-downtime", "must-finish", "gentle"):
        wish = MoveWish(policy=name)
        steps, _, ended = _walk(wish, rate=100 * _MIB, dirty=_MIB, memory=256 * _MIB)
        assert (steps, ended) == ([], True)


@given(
    rate=st.integers(1, 4000), dirty=st.integers(0, 8000), memory=st.integers(1, 65536)
)
def test_what_must_finish_ends_however_fast_it_writes(
    rate: int, dirty: int, memory: int
) -> None:
    # A guest of which no host would allow even one whole round never ends.
    assume(memory * 1000 / rate < DOWNTIME_MOST_MS)
    wish = MoveWish(policy="must-finish")
    steps, _, ended = _walk(
        wish,
        rate=rate * _MIB,
        dirty=dirty * _MIB,
        memory=memory * _MIB,
        longest_s=10**7,
    )
    assert ended
    downtimes = [step.downtime_ms for step in steps if step.downtime_ms]
    assert downtimes == sorted(downtimes)


@given(
    policy=st.sampled_from(["least-downtime", "gentle"]),
    rate=st.integers(1, 4000),
    dirty=st.integers(0, 8000),
    memory=st.integers(1, 65536),
)
def test_others_end_or_give_up_and_say_why(
    policy: str, rate: int, dirty: int, memory: int
) -> None:
    wish = MoveWish(policy=policy)
    steps, _, ended = _walk(
        wish,
        rate=rate * _MIB,
        dirty=dirty * _MIB,
        memory=memory * _MIB,
        longest_s=10**7,
    )
    if not ended:
        assert steps[-1].give_up.endswith(".")
        assert POLICIES[policy].title.lower() in steps[-1].give_up
    most = POLICIES[policy].downtimes_ms[-1]
    assert all(step.downtime_ms <= most for step in steps)


@given(st.integers(1, 100_000), st.sampled_from(NAMES))
def test_no_step_goes_beyond_the_downtime_that_was_wished(
    most_ms: int, policy: str
) -> None:
    wish = MoveWish(policy=policy, max_downtime_ms=most_ms, post_copy=False)
    assert ladder.start(wish).downtime_ms <= most_ms
    steps, _, ended = _walk(
        wish, rate=10 * _MIB, dirty=9 * _MIB, memory=2**40, longest_s=10**7
    )
    assert all(step.downtime_ms <= most_ms for step in steps)
    assert ended or steps[-1].give_up


def test_post_copy_begins_after_one_whole_round() -> None:
    wish = MoveWish(policy="post-copy")
    course = Course()
    course, step = ladder.step(wish, course, Seen(1.0, 1, _MIB, _MIB, 10))
    assert step == Step()
    course, step = ladder.step(wish, course, Seen(2.0, 2, _MIB, _MIB, 20))
    assert step == Step(post_copy=True)
    assert ladder.step(wish, course, Seen(3.0, 3, _MIB, _MIB, 30))[1] == Step()


def test_disks_that_go_first_are_no_reason_to_climb() -> None:
    wish, course = MoveWish(policy="least-downtime"), Course()
    for second in range(1000):
        seen = Seen(float(second), 0, 0, 0, second)
        course, step = ladder.step(wish, course, seen)
        assert step == Step()


def test_what_stands_still_is_given_up() -> None:
    wish = MoveWish(policy="must-finish")
    course, step = ladder.step(wish, Course(), Seen(1.0, 1, _MIB, 0, 10))
    assert step == Step()
    course, step = ladder.step(wish, course, Seen(200.0, 1, _MIB, 0, 10))
    assert "Nothing has moved" in step.give_up
    assert course.given_up


def test_wishes_go_before_the_policy() -> None:
    wish = MoveWish(policy="must-finish", auto_converge=False, bandwidth_mib_s=7)
    begin = ladder.start(wish)
    assert (begin.auto_converge, begin.bandwidth_mib_s) == (False, 7)
    assert ladder.start(replace(wish, auto_converge=None)).auto_converge
    assert not ladder.start(MoveWish(policy="post-copy", parallel=4)).post_copy


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("mode", "quickly"),
        ("storage", "somewhere"),
        ("policy", "hope"),
        ("bandwidth_mib_s", 0),
        ("max_downtime_ms", -1),
        ("parallel", 99),
    ],
)
def test_a_wish_that_cannot_be_names_its_field(field: str, value: object) -> None:
    with pytest.raises(Invalid) as refused:
        MoveWish(**{field: value})  # type: ignore[arg-type]
    assert list(refused.value.errors) == [field]


def test_what_excludes_each_other_is_refused() -> None:
    for wish in (
        {"post_copy": True, "parallel": 2},
        {"compression": True, "parallel": 2},
        {"mode": "offline", "post_copy": True},
    ):
        with pytest.raises(Invalid):
            MoveWish(**wish)


def test_a_wish_survives_being_written_down() -> None:
    wish = MoveWish(host=3, policy="gentle", max_downtime_ms=40, parallel=2)
    assert MoveWish.of_json(wish.as_json() | {"later": True}) == wish
