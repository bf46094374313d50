"""Waiting for the rows that only the watcher writes."""

import time
from collections.abc import Callable
from typing import TypeVar

from kvmweb.errors import HostTimeout

Row = TypeVar("Row")
_POLL_S = 0.1


def until_row(
    find: Callable[[], Row | None], *, within_s: float = 15.0, say: str
) -> Row:
    """What `find` finds, as soon as it does. In a worker, outside of a transaction.

    Raises HostTimeout with this sentence when the host has not been seen to say it.
    """
    until = time.monotonic() + within_s
    while (row := find()) is None:
        if time.monotonic() > until:
            raise HostTimeout(
                say, hint="Its page shows it as soon as the host says so."
            )
        time.sleep(_POLL_S)
    return row
