"""The Celery tasks: one for every kind of operation, and the sweep."""

import logging
from uuid import UUID, uuid4

from celery import shared_task

from kvmweb.celery import app
from kvmweb.errors import AppError, Cancelled
from kvmweb.operations import idempotency, leases, performing, queue, services
from kvmweb.operations.ending import End
from kvmweb.operations.hints import TASK
from kvmweb.operations.models import Operation
from kvmweb.operations.queue import LeaseLost
from kvmweb.operations.worker import Looking

logger = logging.getLogger(__name__)
app.steps["worker"].add(Looking)


@shared_task(name=TASK)
def run(operation_id: str = "") -> None:
    """Run what is queued, this one or an older one, until nothing is left to claim.

    The message is a hint: delivered three times or never, each operation runs once.
    """
    logger.debug("Woken for operation %s.", operation_id or "any")
    while (claim := queue.claim()) is not None:
        with leases.held(claim) as run:
            try:
                end = performing.perform(run)
            except LeaseLost:
                logger.warning("Operation %s was taken over.", claim.operation.pk)
                continue
            except Cancelled as error:
                end = End(Operation.State.CANCELLED, error.detail, error.code)
            except AppError as error:
                end = End(Operation.State.FAILED, str(error), error.code)
            except Exception as error:  # noqa: BLE001 - the only one
                end = _internal(claim.operation.pk, error)
            performing.finish(run, end)


@shared_task(name="operations.sweep")
def sweep() -> None:
    """Keep the queue honest; asked for every 10 s."""
    services.sweep()


@shared_task(name="operations.forget")
def forget() -> None:
    """Drop answers that are kept for repeated requests, when they are a day old."""
    idempotency.forget()


def _internal(operation: UUID, error: Exception) -> End:
    reference = uuid4().hex[:12]
    logger.error(
        "Operation %s failed, reference %s.", operation, reference, exc_info=error
    )
    message = (
        f"An internal error ended this operation (reference {reference}); "
        "what came true is shown on the page of the guest or host."
    )
    return End(Operation.State.FAILED, message, "internal_error")
