"""What this worker runs: while it runs any, one thread renews the leases of all."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DatabaseError, connection

from kvmweb.operations import queue
from kvmweb.operations.queue import Claim
from kvmweb.operations.run import Run

logger = logging.getLogger(__name__)

BEAT_S = 8.0
_running: dict[Claim, Run] = {}
_lock = threading.Lock()
_done: threading.Event | None = None  # set when the running thread has none left


@contextmanager
def held(claim: Claim) -> Iterator[Run]:
    """A run of this claim, whose lease is renewed until the block ends."""
    run = Run(claim)
    _add(claim, run)
    try:
        yield run
    finally:
        _remove(claim)


def running() -> int:
    """How many operations this worker runs now."""
    with _lock:
        return len(_running)


def _add(claim: Claim, run: Run) -> None:
    global _done  # noqa: PLW0603 - one thread for the process
    with _lock:
        _running[claim] = run
        if _done is None:
            _done = threading.Event()
            threading.Thread(
                target=_beat, args=(_done,), name="leases", daemon=True
            ).start()


def _remove(claim: Claim) -> None:
    global _done  # noqa: PLW0603 - see above
    with _lock:
        del _running[claim]
        if not _running and _done is not None:
            _done.set()
            _done = None


def _beat(done: threading.Event) -> None:
    try:
        while not done.wait(BEAT_S):
            _renew()
    finally:
        connection.close()


def _renew() -> None:
    with _lock:
        mine = dict(_running)
    try:
        lost = queue.renew(mine)
    except DatabaseError as error:
        logger.warning("The leases could not be renewed: %s", error)
        connection.close()
        return
    for claim in lost:
        mine[claim].lost = True
