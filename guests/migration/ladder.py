"""When a move may cost more downtime, throttles, goes post-copy or gives up. Pure.

A live move sends memory in rounds: each sends what was written during the last. It ends
by itself once the rest fits into the allowed downtime. A policy says what is done when
it never fits: a ladder of downtimes first, then its last means.
"""

from dataclasses import dataclass, replace

from guests.migration.wishes import (
    DOWNTIME_MOST_MS,
    GENTLE,
    LEAST_DOWNTIME,
    MUST_FINISH,
    POST_COPY,
    MoveWish,
)

_SPARE = 1.3  # of what seems to be needed: the rate is a guess
_STALLED_S = 120.0


@dataclass(frozen=True, slots=True)
class Policy:
    """One way to bring a move to its end. Data: the loop that follows knows no names."""

    name: str
    title: str
    about: str
    downtimes_ms: tuple[int, ...]  # the rungs; the first holds from the beginning
    rounds_a_rung: int  # that do not make it fit before the next one
    seconds_a_rung: float
    throttles: bool = False  # the guest's CPUs, so that it writes less
    post_copy: bool = False  # after the first round
    finishes: bool = False  # after the last rung: whatever downtime it takes
    bandwidth_mib_s: int = 0  # 0: all there is


POLICIES = {
    policy.name: policy
    for policy in (
        Policy(
            LEAST_DOWNTIME,
            "Least downtime",
            "Up to 300 ms. A guest that writes too fast for that stays where it is.",
            downtimes_ms=(50, 100, 200, 300),
            rounds_a_rung=3,
            seconds_a_rung=20.0,
        ),
        Policy(
            MUST_FINISH,
            "Must finish",
            "More downtime step by step, slowing the guest down; it ends in any case.",
            downtimes_ms=(300, 500, 1000, 2000, 5000),
            rounds_a_rung=2,
            seconds_a_rung=10.0,
            throttles=True,
            finishes=True,
        ),
        Policy(
            POST_COPY,
            "Post-copy",
            "After one round it runs at its target and fetches the rest from there. "
            "Quick and sure, but a link that breaks then stops it until it is mended.",
            downtimes_ms=(300,),
            rounds_a_rung=1,
            seconds_a_rung=600.0,
            post_copy=True,
            finishes=True,
        ),
        Policy(
            GENTLE,
            "Gentle",
            "At most 64 MiB a second, never slowing the guest down; takes its time.",
            downtimes_ms=(100, 200, 300, 500),
            rounds_a_rung=5,
            seconds_a_rung=60.0,
            bandwidth_mib_s=64,
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Start:
    """How a move begins."""

    downtime_ms: int
    auto_converge: bool
    post_copy: bool
    bandwidth_mib_s: int


@dataclass(frozen=True, slots=True)
class Seen:
    """How far it is, at one look."""

    at_s: float  # since it began
    round: int  # 0: memory has not begun
    left_bytes: int  # memory
    rate_bytes_s: int  # 0: not known
    sent_bytes: int  # memory and disks


@dataclass(frozen=True, slots=True)
class Course:
    """What was done so far; `step` gives the next one."""

    rung: int = 0
    rung_round: int = 0
    rung_at_s: float = 0.0
    downtime_ms: int = 0
    post_copied: bool = False
    given_up: str = ""  # a sentence
    sent_bytes: int = 0
    sent_at_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be done now, at most one thing."""

    downtime_ms: int = 0
    post_copy: bool = False
    give_up: str = ""


def rungs(wish: MoveWish) -> tuple[int, ...]:
    """The downtimes that are allowed, one after the other; none above what was wished."""
    ladder = POLICIES[wish.policy].downtimes_ms
    most = wish.max_downtime_ms
    if most is None:
        return ladder
    return (*(each for each in ladder if each < most), most)


def start(wish: MoveWish) -> Start:
    """How the move begins. What was wished goes before what the policy says."""
    policy = POLICIES[wish.policy]
    throttles = policy.throttles if wish.auto_converge is None else wish.auto_converge
    post_copy = policy.post_copy if wish.post_copy is None else wish.post_copy
    return Start(
        downtime_ms=rungs(wish)[0],
        # QEMU has no post-copy with several connections.
        auto_converge=throttles,
        post_copy=post_copy and wish.parallel <= 1,
        bandwidth_mib_s=wish.bandwidth_mib_s or policy.bandwidth_mib_s,
    )


def step(wish: MoveWish, course: Course, seen: Seen) -> tuple[Course, Step]:
    """What is to be done at this look, and the course with that."""
    if course.post_copied or course.given_up:
        return course, Step()
    if seen.sent_bytes != course.sent_bytes:
        course = replace(course, sent_bytes=seen.sent_bytes, sent_at_s=seen.at_s)
    elif seen.at_s - course.sent_at_s > _STALLED_S:
        return _given_up(course, f"Nothing has moved for {_STALLED_S:g} s.")
    if seen.round < 2 or not course.rung_round:
        begun = max(seen.round, 1)
        course = replace(course, rung_round=begun, rung_at_s=seen.at_s)
    if seen.round >= 2 and start(wish).post_copy:
        return replace(course, post_copied=True), Step(post_copy=True)
    if seen.round < 2 or _fits(wish, course, seen) or not _waited(wish, course, seen):
        return course, Step()
    return _climbed(wish, POLICIES[wish.policy], course, seen)


def needed_ms(seen: Seen) -> int | None:
    """The downtime that would let it end now; None while no rate is known."""
    if seen.rate_bytes_s <= 0:
        return None
    return int(seen.left_bytes * 1000 / seen.rate_bytes_s * _SPARE) + 1


def _waited(wish: MoveWish, course: Course, seen: Seen) -> bool:
    policy = POLICIES[wish.policy]
    return (
        seen.round - course.rung_round >= policy.rounds_a_rung
        or seen.at_s - course.rung_at_s >= policy.seconds_a_rung
    )


def _fits(wish: MoveWish, course: Course, seen: Seen) -> bool:
    """Whether QEMU is about to end it by itself."""
    needed = needed_ms(seen)
    allowed = course.downtime_ms or rungs(wish)[0]
    return needed is not None and needed <= allowed


def _climbed(
    wish: MoveWish, policy: Policy, course: Course, seen: Seen
) -> tuple[Course, Step]:
    ladder = rungs(wish)
    rung = course.rung + 1
    if rung < len(ladder):
        downtime_ms = ladder[rung]
    elif policy.finishes and wish.max_downtime_ms is None:
        before = max(course.downtime_ms, ladder[-1])
        downtime_ms = max(needed_ms(seen) or 0, 2 * before)
    else:
        return _given_up(course, _never(wish, seen, ladder[-1]))
    downtime_ms = min(downtime_ms, DOWNTIME_MOST_MS)
    after = replace(
        course,
        rung=rung,
        rung_round=seen.round,
        rung_at_s=seen.at_s,
        downtime_ms=downtime_ms,
    )
    return after, Step(downtime_ms=downtime_ms)


def _given_up(course: Course, sentence: str) -> tuple[Course, Step]:
    return replace(course, given_up=sentence), Step(give_up=sentence)


def _never(wish: MoveWish, seen: Seen, most_ms: int) -> str:
    needed = needed_ms(seen)
    told = f"; it would have to stand still for about {needed} ms" if needed else ""
    title = POLICIES[wish.policy].title.lower()
    return (
        f"It writes its memory faster than that can be sent: after {seen.round} rounds "
        f"it did not fit into {most_ms} ms of downtime{told}. The policy is “{title}”."
    )
