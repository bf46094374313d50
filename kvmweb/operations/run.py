"""What the work of an operation holds in its hands while it runs."""

import logging
import time
from typing import Any

from django.db import DatabaseError, connection

from kvmweb.errors import Cancelled
from kvmweb.operations import announce
from kvmweb.operations.models import LogLine
from kvmweb.operations.queue import Claim, LeaseLost

logger = logging.getLogger(__name__)

_WRITE_EVERY_S = 0.25


class Run:
    """One claimed operation: its parameters, its progress and its log.

    Everything that writes raises LeaseLost once another worker has taken over; let it
    pass. A database that is away for a moment is no error here: progress is a courtesy.
    """

    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self.operation = claim.operation
        self.params: dict[str, Any] = claim.operation.params
        self.result: dict[str, Any] = dict(claim.operation.result)
        self.sentence = ""
        self.lost = False  # set by the heartbeat
        self._written_at = float("-inf")

    def progress(self, fraction: float, phase: str = "") -> None:
        """Say how far it is (0..1, never backwards) and what it does now.

        Cheap to call often: a new phase is written at once, numbers 4 times a second.
        """
        operation = self.operation
        changed_phase = bool(phase) and phase != operation.phase
        operation.progress = max(operation.progress, min(fraction, 1.0))
        operation.phase = phase[:200] or operation.phase
        now = time.monotonic()
        if not changed_phase and now - self._written_at < _WRITE_EVERY_S:
            return
        self._written_at = now
        self._write(progress=operation.progress, phase=operation.phase)

    def log(self, sentence: str) -> None:
        """Add a line to what it did, step by step."""
        if self._write(phase=self.operation.phase):
            LogLine.objects.create(operation=self.operation, message=sentence)

    def say(self, sentence: str) -> None:
        """What it will say at its end, when it succeeds."""
        self.sentence = sentence

    def keep(self, **result: Any) -> None:
        """Write down what is known already, for a `recover` that may need it."""
        self.result.update(result)
        self.claim.write(result=self.result)

    def check_cancelled(self) -> None:
        """Raise Cancelled if somebody asked it to stop."""
        self._check_mine()
        wish = self.claim.row.values_list("cancel_requested_at", flat=True)
        try:
            found = list(wish)
        except DatabaseError:
            self._database_away()
            return
        if not found:
            raise LeaseLost(str(self.operation.pk))
        if found[0]:
            message = f"{self.operation.subject}: cancelled as somebody asked."
            raise Cancelled(message)

    def _write(self, **changes: Any) -> bool:
        self._check_mine()
        try:
            self.claim.write(**changes)
        except DatabaseError:
            self._database_away()
            return False
        announce.changed(self.operation)
        return True

    def _check_mine(self) -> None:
        if self.lost:
            raise LeaseLost(str(self.operation.pk))

    def _database_away(self) -> None:
        logger.warning("Operation %s: the database is away.", self.operation.pk)
        connection.close()  # so that the next query opens a new one
