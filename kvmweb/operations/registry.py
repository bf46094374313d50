"""The plug for work: which function does which kind of operation."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from kvmweb.errors import Invalid
from kvmweb.operations.models import Operation
from kvmweb.operations.run import Run


class Recovery(Enum):
    """What `recover` found after the worker that ran an operation died.

    That it failed is said by raising an AppError; that it still goes on, by waiting
    for its end inside `recover` before one of these is returned.
    """

    DONE = "done"  # what was asked for is true; the operation succeeded
    AGAIN = "again"  # nothing of it came true; the work may be done once more


Work = Callable[[Run], dict[str, Any] | None]
Recover = Callable[[Run], Recovery]
Allowed = Callable[[Operation], None]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of operation: what does it, and what happens when that is cut off."""

    name: str  # "guest.start"
    do: Work
    recover: Recover | None  # None: after a crash it fails, the outcome unknown
    cancellable: bool  # the work asks run.check_cancelled() often enough
    allowed: Allowed | None  # asked again when it begins; raises Forbidden

    @property
    def label(self) -> str:
        """A word for people: "force off" of "guest.force-off"."""
        return label_of(self.name)


_kinds: dict[str, Kind] = {}


def work(
    kind: str,
    *,
    recover: Recover | None = None,
    cancellable: bool = False,
    allowed: Allowed | None = None,
) -> Callable[[Work], Work]:
    """Declare the function that does this kind of operation, in a worker.

    It may raise any AppError (the operation fails with its sentence) and return the
    operation's `result`. Every step of it may run twice: see `recover`.
    """

    def declare(do: Work) -> Work:
        _kinds[kind] = Kind(kind, do, recover, cancellable, allowed)
        return do

    return declare


def kind_of(name: str) -> Kind:
    """The declared kind. Raises Invalid when no part of the product declares it."""
    try:
        return _kinds[name]
    except KeyError:
        message = f"No part of this product knows how to do “{name}”."
        raise Invalid(message) from None


def label_of(name: str) -> str:
    """A word for people: "force off" of "guest.force-off"."""
    return name.rpartition(".")[2].replace("-", " ").replace("_", " ")
