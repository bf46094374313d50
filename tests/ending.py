"""What a group of tests shares ends with the group, and not with the whole session."""

from collections.abc import Callable

_at_the_end: list[Callable[[], object]] = []


def with_the_group(stop: Callable[[], object]) -> None:
    """Have this called as soon as tests of another group are begun. It may be twice."""
    _at_the_end.append(stop)


def end_of_group() -> None:
    """End all of it, the newest first."""
    while _at_the_end:
        _at_the_end.pop()()
