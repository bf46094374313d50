"""The child that asks an address every 20 ms: `python -m guests.proof.probing ADDRESS`.

A process of its own, so that nothing the worker does makes it look as if the guest stood
still. It ends when its standard input does; told "done" there, it first waits a moment
for an address that is silent just then, and prints one JSON object.
"""

import json
import select
import sys
import time
from contextlib import suppress

from guests.proof.means import Means, possible

EVERY_S = 0.02
AFTERWARDS_S = 3.0  # how long an address may still be silent after the end
_CHOOSING = 5  # so many rounds every way is tried before the best stays


class Gaps:
    """The longest time between a question and the next answer to any."""

    def __init__(self) -> None:
        self.longest_s = 0.0
        self.answers = 0
        self._since: float | None = None  # the oldest question without an answer after

    def asked(self, at: float) -> None:
        """A question went out."""
        if self._since is None:
            self._since = at

    def answered(self, at: float) -> None:
        """Something came back; before the first answer nothing counts."""
        if self._since is None:
            return
        if self.answers:
            self.longest_s = max(self.longest_s, at - self._since)
        self.answers += 1
        self._since = None

    def silent_s(self, at: float) -> float:
        """For how long nothing has come back now."""
        return 0.0 if self._since is None else at - self._since

    def ended(self, at: float) -> None:
        """Nobody asks any more: a silence that lasts counts as long as it was seen."""
        if self.answers:
            self.longest_s = max(self.longest_s, self.silent_s(at))


def main() -> None:
    """Ask until told to end."""
    ways, gaps = possible(sys.argv[1]), Gaps()
    rounds, next_at, end_at = 0, time.monotonic(), float("inf")
    while time.monotonic() < end_at:
        if (now := time.monotonic()) >= next_at:
            next_at = now + EVERY_S
            rounds += 1
            _ask(ways)
            gaps.asked(now)
        told = _wait(ways, max(0.0, next_at - time.monotonic()), told=end_at < 1e18)
        if told == "":
            return  # whoever asked is gone
        if told is not None:
            end_at = time.monotonic() + AFTERWARDS_S
        if answering := [way for way in ways if way.answered()]:
            gaps.answered(time.monotonic())
            if rounds >= _CHOOSING:
                ways = answering[:1]
        if end_at < 1e18 and (not gaps.answers or not gaps.silent_s(time.monotonic())):
            break
    gaps.ended(time.monotonic())
    _tell(ways, gaps)


def _ask(ways: list[Means]) -> None:
    for way in ways:
        with suppress(OSError):  # no route for a moment is a question without an answer
            way.ask()


def _wait(ways: list[Means], at_most_s: float, *, told: bool) -> str | None:
    """Until an answer, or a word: "" when nobody is there to say one any more."""
    poll = select.poll()
    for way in ways:
        for each in way.sockets():
            poll.register(each, select.POLLOUT if way.name == "tcp" else select.POLLIN)
    if not told:
        poll.register(sys.stdin, select.POLLIN | select.POLLHUP)
    ready = {handle for handle, _ in poll.poll(at_most_s * 1000)}
    return sys.stdin.readline() if sys.stdin.fileno() in ready else None


def _tell(ways: list[Means], gaps: Gaps) -> None:
    longest_ms = round(gaps.longest_s * 1000) if gaps.answers else None
    said = {
        "longest_gap_ms": longest_ms,
        "answers": gaps.answers,
        "means": ways[0].name if gaps.answers else "",
    }
    json.dump(said, sys.stdout)


if __name__ == "__main__":
    main()
