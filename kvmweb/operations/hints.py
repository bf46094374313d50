"""Hints to the workers that something is queued, sent by a thread of their own.

A hint may be late or lost: the table is the queue, and the workers look into it. What it
must never do is make the person wait who asked for something while Redis hangs.
"""

import logging
import queue
import threading
from uuid import UUID

from kombu.exceptions import OperationalError

from kvmweb.celery import app

logger = logging.getLogger(__name__)

TASK = "operations.run"
_waiting: queue.Queue[str] = queue.Queue(maxsize=1000)
_start = threading.Lock()
_thread: threading.Thread | None = None


def send(operation: UUID) -> None:
    """Wake a worker for this operation, soon; returns at once."""
    global _thread  # noqa: PLW0603 - one thread for the process
    with _start:
        if _thread is None or not _thread.is_alive():  # not begun yet, or forked
            _thread = threading.Thread(target=_run, name="hints", daemon=True)
            _thread.start()
    try:
        _waiting.put_nowait(str(operation))
    except queue.Full:
        logger.warning("Too many hints wait for Redis; the workers will look anyway.")


def _run() -> None:
    while True:
        operation = _waiting.get()
        try:
            app.send_task(TASK, [operation], retry=False, ignore_result=True)
        except (OperationalError, OSError) as error:
            logger.warning("No hint for operation %s: %s", operation, error)
