"""What operations had to leave on hosts that did not answer: looked after later.

Whoever made it says so in `result["made"]`, and has failed. Each tidying is an operation
like any other; one that fails leaves the same notes for the next.
"""

from collections.abc import Collection
from datetime import timedelta

from django.utils import timezone

from hosts.models import Host
from kvmweb.errors import Conflict
from kvmweb.operations.models import Operation
from kvmweb.operations.services import submit

_AT_ONCE = 10
_AFTER = timedelta(seconds=30)


def look(kinds: Collection[str], tidy: str) -> int:
    """Begin an operation `tidy` for what these kinds left; how many were begun.

    Only on hosts that answer again.
    """
    ended = (Operation.State.FAILED, Operation.State.CANCELLED)
    rows = Operation.objects.filter(
        kind__in=kinds,
        state__in=ended,
        result__has_key="made",
        finished_at__lt=timezone.now() - _AFTER,
        host__in=Host.objects.filter(state=Host.State.UP).values("pk"),
    ).exclude(result__has_key="tidied_by")
    return sum(_begin(row, tidy) for row in rows.order_by("finished_at")[:_AT_ONCE])


def _begin(row: Operation, tidy: str) -> int:
    """Submit it; 1, or 0 when the guest is busy."""
    try:
        operation = submit(
            tidy,
            by=None,
            guest=row.guest,
            guest_name=row.guest_name,
            host=row.host,
            host_name=row.host_name,
            params={"plan": row.params["plan"], "made": row.result["made"]},
        )
    except Conflict:
        return 0
    told = row.result | {"tidied_by": str(operation.pk)}
    Operation.objects.filter(pk=row.pk).update(result=told)
    return 1
