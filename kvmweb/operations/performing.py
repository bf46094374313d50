"""From a claim to an end: ask the right again, do the work, say how it went."""

import logging
import time

from django.db import DatabaseError, connection
from django.utils import timezone

from kvmweb.errors import Conflict, Forbidden
from kvmweb.operations.ending import End, end
from kvmweb.operations.models import Operation
from kvmweb.operations.queue import LeaseLost
from kvmweb.operations.registry import Kind, Recovery, kind_of
from kvmweb.operations.run import Run

logger = logging.getLogger(__name__)

_ATTEMPTS = 3  # work that kills its worker each time must not go on for ever
_END_FOR_S = 120  # how long the end is tried to be written while the database is away


def perform(run: Run) -> End:
    """Do the work of a claimed operation. Raises what the work raises."""
    kind = kind_of(run.operation.kind)
    if not run.claim.taken_over or _recovered(kind, run) == Recovery.AGAIN:
        _ask_again(kind, run)
        run.result.update(kind.do(run) or {})
    return End(
        Operation.State.SUCCEEDED, run.sentence or _plain(kind, run), result=run.result
    )


def finish(run: Run, how: End) -> None:
    """Write the end, patiently: the database may be away for a moment.

    An end that is not ours to write any more is dropped: who took over writes it.
    """
    give_up = time.monotonic() + _END_FOR_S
    while not run.lost:
        try:
            if end(run.claim.row, how) is None:
                logger.warning("Operation %s was taken over.", run.operation.pk)
        except DatabaseError:
            connection.close()
            if time.monotonic() > give_up:
                raise
            time.sleep(1)
        else:
            return


def _recovered(kind: Kind, run: Run) -> Recovery:
    run.log("Its worker ended before it did; finding out what came true.")
    label = f"{run.operation.subject}: “{kind.label}”"
    if run.claim.attempt > _ATTEMPTS:
        message = f"{label} was interrupted {run.claim.attempt - 1} times."
        raise Conflict(message, hint="See the log of the workers for the cause.")
    if kind.recover is None:
        message = f"{label} was interrupted, and what came true is not known."
        raise Conflict(message, hint="Look before you ask for it again.")
    return kind.recover(run)


def _ask_again(kind: Kind, run: Run) -> None:
    operation = run.operation
    if operation.author and (
        operation.requested_by is None or not operation.requested_by.is_active
    ):
        message = f"{operation.author}, who asked for this, may not sign in any more."
        raise Forbidden(message)
    if kind.allowed:
        kind.allowed(operation)
    if not run.claim.row.exists():  # the last look before anything is changed
        raise LeaseLost(str(operation.pk))


def _plain(kind: Kind, run: Run) -> str:
    began = run.operation.started_at
    took = f" in {(timezone.now() - began).total_seconds():.1f} s" if began else ""
    return f"{run.operation.subject}: “{kind.label}” is done{took}."
