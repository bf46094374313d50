"""Which steps of a convoy may begin now. Pure: limits for hosts and the ways between."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """How many at once."""

    per_target: int = 2
    per_source: int = 4
    per_link: int = 2


@dataclass(frozen=True, slots=True)
class Way:
    """A step by its number, from where to where; None: it goes nowhere."""

    number: int
    source: int | None
    target: int | None


def next_up(
    running: Iterable[Way], waiting: Iterable[Way], limits: Limits
) -> list[int]:
    """The numbers of those that may begin, in order, each counting those before it.

    One that must wait lets the next ones pass: another way may be free.
    """
    sources: Counter[int | None] = Counter()
    targets: Counter[int | None] = Counter()
    links: Counter[tuple[int | None, int | None]] = Counter()

    def begin(way: Way) -> None:
        sources[way.source] += 1
        targets[way.target] += 1
        links[way.source, way.target] += 1

    for way in running:
        begin(way)
    chosen = []
    for way in waiting:
        free = sources[way.source] < limits.per_source and (
            way.target is None
            or (
                targets[way.target] < limits.per_target
                and links[way.source, way.target] < limits.per_link
            )
        )
        if free:
            begin(way)
            chosen.append(way.number)
    return chosen
