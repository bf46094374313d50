"""What this worker runs: one thread renews the leases of all it runs."""

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
_thread: threading.Thread | None = None


@contextmanager
def held(claim: Claim) -> Iterator[Run]:
    """A run of this claim, whose lease is renewed until the block ends."""
    run = Run(claim)
    with _lock:
        _running[claim] = run
    _start()
    try:
        yield run
    finally:
        with _lock:
            del _running[claim]


def running() -> int:
    """How many operations this worker runs now."""
    with _lock:
        return len(_running)


def _start() -> None:
    global _thread  # noqa: PLW0603 - one thread for the process
    with _lock:
        if _thread is None or not _thread.is_alive():
            _thread = threading.Thread(target=_beat, name="leases", daemon=True)
            _thread.start()


def _beat() -> None:
    pause = threading.Event()
    while not pause.wait(BEAT_S):
        with _lock:
            mine = dict(_running)
        try:
            lost = queue.renew(mine)
        except DatabaseError as error:
            logger.warning("The leases could not be renewed: %s", error)
            connection.close()
            continue
        for claim in lost:
            mine[claim].lost = True
