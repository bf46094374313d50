"""What runs beside Celery: in each worker a look into the table that needs no broker."""

import logging
import threading
import time
from typing import Any

from celery import bootsteps, signals
from django.db import DatabaseError, connections

from kvmweb import heartbeat
from kvmweb.celery import app
from kvmweb.operations import hints, leases, queue, services

logger = logging.getLogger(__name__)

LOOK_S = 2.0
SWEEP_S = 10.0
_THREADS = 16  # at once, Celery's own included


class Looking(bootsteps.StartStopStep):
    """Looks every 2 s for what no message brought, and sweeps every 10 s."""

    def __init__(self, parent: Any, **kwargs: Any) -> None:
        super().__init__(parent, **kwargs)
        self._end = threading.Event()
        self._swept_at = self._told_at = float("-inf")

    def start(self, parent: Any) -> None:
        """Begin, whether the broker is there or not."""
        threading.Thread(target=self._look, name="looking", daemon=True).start()

    def stop(self, parent: Any) -> None:
        """Look no more; what runs may end."""
        self._end.set()

    def _look(self) -> None:
        while not self._end.is_set():
            try:
                self._once()
            except DatabaseError as error:
                logger.warning("The queue cannot be read: %s", error)
                connections.close_all()
            self._end.wait(LOOK_S)

    def _once(self) -> None:
        now = time.monotonic()
        if now - self._told_at >= heartbeat.EVERY_S:
            self._told_at = now
            heartbeat.beat("worker", queue.WORKER)
        if now - self._swept_at >= SWEEP_S:
            self._swept_at = now
            services.sweep()
        free = max(0, _THREADS - leases.running())
        for _ in range(queue.waiting(most=free)):
            threading.Thread(target=_run, name="looked", daemon=True).start()


def _run() -> None:
    try:
        app.tasks[hints.TASK].run()
    except DatabaseError as error:
        logger.warning("The queue cannot be read: %s", error)
    finally:
        connections.close_all()


@signals.beat_init.connect
def tell_of_beat(**_: Any) -> None:
    """Have the scheduler's process say that it lives."""
    threading.Thread(target=_tell_of_beat, name="telling", daemon=True).start()


def _tell_of_beat() -> None:
    pause = threading.Event()
    while True:
        try:
            heartbeat.beat("beat", queue.WORKER)
        except DatabaseError as error:
            logger.warning("The heartbeat was not written: %s", error)
            connections.close_all()
        pause.wait(heartbeat.EVERY_S)
