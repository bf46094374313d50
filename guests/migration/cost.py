"""What a move costs before it is made: seconds, standstill, bytes. Pure.

Pre-copy in rounds: each sends what the one before left dirty, until what is left can be
sent while the guest stands still.
"""

from dataclasses import dataclass

from guests.migration import ladder
from guests.migration.wishes import OFFLINE, MoveWish

MIB = 1024**2
SETUP_S = 0.6  # both libvirts talk, QEMU starts over there, the switch, the end here
STANDSTILL_MS = 60  # the devices' state and the switch itself, with nothing to send
UNKNOWN_BYTES_S = 110 * MIB  # a gigabit; until a pair has been measured
_FULLEST = 0.95  # of a link that pages may fill before it never ends
_THROTTLE = (0.2, 0.1, 0.99)  # the first cut, each next one, the last
_ROUNDS = 60


@dataclass(frozen=True, slots=True)
class Load:
    """A guest as something to be sent."""

    memory_bytes: int
    used_bytes: int | None = None  # of it, what is not empty pages; None: not known
    dirty_bytes_s: float | None = None  # None: not measured
    disk_bytes: int = 0  # to be copied
    disk_dirty_bytes_s: float = 0.0
    live: bool = True


@dataclass(frozen=True, slots=True)
class Link:
    """The way between two hosts."""

    bytes_s: float = UNKNOWN_BYTES_S
    measured: bool = False
    setup_s: float = SETUP_S
    standstill_ms: int = STANDSTILL_MS


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a move is expected to cost."""

    seconds: float
    downtime_ms: int
    bytes: int
    converges: bool  # without throttling, and without post-copy
    why: str  # what it rests on, as sentences

    def as_json(self) -> dict[str, float | int | bool]:
        """As `Move.predicted`."""
        return {
            "seconds": self.seconds,
            "downtime_ms": self.downtime_ms,
            "bytes": self.bytes,
            "converges": self.converges,
        }


def estimate(load: Load, link: Link, wish: MoveWish | None = None) -> Estimate:
    """What the move will cost with these wishes."""
    wish = wish or MoveWish()
    if wish.mode == OFFLINE or not load.live:
        return _offline(load, link, wish)
    rate = _rate(link, wish)
    disks_s = _disks_s(load, rate)
    course = _memory(load, rate, wish)
    total_s = link.setup_s + disks_s + course.seconds
    standing_ms = link.standstill_ms + course.standing_s * 1000
    return Estimate(
        seconds=round(total_s, 2),
        downtime_ms=round(standing_ms),
        bytes=load.disk_bytes + round(course.sent),
        converges=course.converges and load.disk_dirty_bytes_s < rate * _FULLEST,
        why=" ".join(_why(load, link, course, rate)),
    )


@dataclass(slots=True)
class _Course:
    """How the memory goes over."""

    seconds: float = 0.0  # until the guest stands still, and while it does
    standing_s: float = 0.0
    sent: float = 0.0
    converges: bool = True
    means: str = ""  # what it took: "throttling", "post-copy", "patience"


def _offline(load: Load, link: Link, wish: MoveWish) -> Estimate:
    """Only disks travel; it stands still anyway."""
    rate = _rate(link, wish)
    why = "It is off: only its definition and its disks travel."
    return Estimate(
        seconds=round(link.setup_s + load.disk_bytes / rate, 2),
        downtime_ms=0,
        bytes=load.disk_bytes,
        converges=True,
        why=f"{why} {_of_link(link)}",
    )


def _rate(link: Link, wish: MoveWish) -> float:
    limit = ladder.start(wish).bandwidth_mib_s
    rate = max(link.bytes_s, 1.0)
    return min(rate, limit * MIB) if limit else rate


def _disks_s(load: Load, rate: float) -> float:
    """Copied while the guest writes on; a guest that writes too fast is held back."""
    left = max(rate - load.disk_dirty_bytes_s, rate * (1 - _FULLEST))
    return load.disk_bytes / left


def _memory(load: Load, rate: float, wish: MoveWish) -> _Course:
    """Round after round, until the rest fits into the standstill that is allowed."""
    used = load.memory_bytes if load.used_bytes is None else load.used_bytes
    used = min(used, load.memory_bytes)
    dirty = max(load.dirty_bytes_s or 0.0, 0.0)
    course = _Course(converges=dirty < rate * _FULLEST)
    if ladder.start(wish).post_copy and not course.converges:
        return _switched(used, dirty, rate, course)
    left, cut = float(used), 0.0
    for turn in range(_ROUNDS):
        spent = left / rate
        course.seconds += spent
        course.sent += left
        if not course.converges and turn and ladder.start(wish).auto_converge:
            cut = min(cut + (_THROTTLE[1] if cut else _THROTTLE[0]), _THROTTLE[2])
            course.means = "throttling"
        left = min(dirty * (1 - cut) * spent, float(used))
        allowed_s = _allowed_s(wish, turn)
        if allowed_s is None or left <= rate * allowed_s:
            break
    course.sent += left
    course.standing_s = left / rate
    course.seconds += course.standing_s
    if not course.converges and not course.means:
        course.means = "patience"
    return course


def _allowed_s(wish: MoveWish, turn: int) -> float | None:
    """How long it may stand still after this round; None: the ladder has ended."""
    rungs = ladder.rungs(wish)
    rung = turn // ladder.POLICIES[wish.policy].rounds_a_rung
    return rungs[rung] / 1000 if rung < len(rungs) else None


def _switched(used: float, dirty: float, rate: float, course: _Course) -> _Course:
    """One round, then the guest goes on at its new place and fetches what is missing."""
    first_s = used / rate
    left = min(dirty * first_s, used)
    course.sent = used + left
    course.seconds = first_s + left / rate
    course.means = "post-copy"
    return course


def _why(load: Load, link: Link, course: _Course, rate: float) -> list[str]:
    told = [_of_link(link)]
    if load.dirty_bytes_s is None:
        told.append("How fast it changes its memory is not measured yet.")
    if course.converges:
        return told
    fast = f"{(load.dirty_bytes_s or 0) / MIB:.0f} MiB/s"
    told.append(f"It changes {fast} of memory, the link takes {rate / MIB:.0f} MiB/s:")
    told.append(_MEANS[course.means])
    return told


def _of_link(link: Link) -> str:
    speed = f"{link.bytes_s / MIB:.0f} MiB/s"
    if link.measured:
        return f"The link took {speed} in earlier moves."
    return f"The link is not measured yet; {speed} is assumed."


_MEANS = {
    "throttling": "it will not converge without throttling, which slows the guest down.",
    "post-copy": "it will not converge without post-copy, which is wished.",
    "patience": "it will not converge without throttling or post-copy.",
}
