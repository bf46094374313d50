"""The table as the queue: claims and leases, on the database's clock.

Every change of a running operation asks for its claim again (same worker, same
attempt, still running); who lost the claim changes nothing and hears LeaseLost.
"""

import os
import secrets
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connection, models, transaction
from django.db.models import Count, DateTimeField, ExpressionWrapper, Q, QuerySet
from django.db.models.functions import Coalesce, Now

from kvmweb.operations.models import Operation

LEASE = timedelta(seconds=30)
HOST_LIMIT = 4  # running at once for one host: a hung one must not take every thread
_CLAIMS = 0x6B766D77  # the lock in PostgreSQL under which claims are made

WORKER = f"{socket.gethostname()[:60]}:{os.getpid()}:{secrets.token_hex(4)}"


class LeaseLost(Exception):
    """Another worker has taken this operation over; this one must not write any more."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to run one operation, as long as the lease is renewed."""

    operation: Operation
    worker: str
    attempt: int
    taken_over: bool  # another worker began it and its lease ran out

    @property
    def row(self) -> QuerySet[Operation]:
        """The operation's row while the claim holds; empty after it was lost."""
        return Operation.objects.filter(
            pk=self.operation.pk,
            worker=self.worker,
            attempts=self.attempt,
            state=Operation.State.RUNNING,
        )

    def write(self, **changes: Any) -> None:
        """Change the row. Raises LeaseLost when it is not ours any more."""
        if not self.row.update(**changes):
            raise LeaseLost(str(self.operation.pk))


def claim() -> Claim | None:
    """The operation this worker shall run next, now running in its name; None: none.

    Those whose worker died come first, then the oldest queued one whose host has a
    place free. What was queued for too long is never begun.
    """
    if not anything():
        return None
    with transaction.atomic():
        _one_at_a_time()
        operation = orphans().first() or claimable().first()
        return _take(operation) if operation else None


def anything() -> bool:
    """Whether there is something to claim now."""
    return claimable().exists() or orphans().exists()


def waiting(*, most: int) -> int:
    """How much there is to claim now, counted up to this."""
    return min(most, orphans()[:most].count() + claimable()[:most].count())


def claimable() -> QuerySet[Operation]:
    """Queued, not too old, on a host with a place free; oldest first."""
    running = Operation.objects.filter(state=Operation.State.RUNNING)
    full = (
        running.filter(host__isnull=False, lease_until__isnull=False)
        .values("host")
        .annotate(count=Count("pk"))
        .filter(count__gte=HOST_LIMIT)
    )
    return (
        Operation.objects.filter(state=Operation.State.QUEUED)
        .filter(Q(expires_at=None) | Q(expires_at__gt=Now()))
        .exclude(host__in=full.values("host"))
        .order_by("created_at", "pk")
    )


def orphans() -> QuerySet[Operation]:
    """Running ones whose worker has not renewed its lease in time."""
    return Operation.objects.filter(
        state=Operation.State.RUNNING, lease_until__lt=Now()
    ).order_by("lease_until")


def expired() -> QuerySet[Operation]:
    """Queued ones that nobody began in time."""
    return Operation.objects.filter(state=Operation.State.QUEUED, expires_at__lte=Now())


def renew(claims: Iterable[Claim]) -> set[Claim]:
    """Make the leases last again; those that are lost."""
    return {c for c in claims if not c.row.update(lease_until=_lease_end())}


def _take(operation: Operation) -> Claim | None:
    taken_over = operation.state == Operation.State.RUNNING
    attempt = operation.attempts + 1
    changed = Operation.objects.filter(
        pk=operation.pk, state=operation.state, attempts=operation.attempts
    ).update(
        state=Operation.State.RUNNING,
        worker=WORKER,
        attempts=attempt,
        lease_until=_lease_end(),
        started_at=Coalesce("started_at", Now()),
    )
    if not changed:  # cancelled or ended in this very moment
        return None
    operation.refresh_from_db()
    return Claim(operation, WORKER, attempt, taken_over)


def _lease_end() -> models.Expression:
    return ExpressionWrapper(Now() + LEASE, output_field=DateTimeField())


def _one_at_a_time() -> None:
    """Let claims follow each other, so that the limit of a host holds.

    SQLite's immediate transactions do by themselves.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_CLAIMS])
