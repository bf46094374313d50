"""What a clone had to leave on a host that did not answer: taken away when it does."""

from datetime import timedelta

from django.utils import timezone

from guests.cloning.planning import KIND, plan_of
from guests.creation.making import BEGUN, DEFINED
from guests.creation.traces import Traces
from guests.far import far_guest
from hosts.models import Host
from kvmweb.errors import Conflict
from kvmweb.operations.models import Operation
from kvmweb.operations.run import Run
from kvmweb.operations.services import submit

TIDY = "guest.tidy-up-clone"
_AT_ONCE = 10
_AFTER = timedelta(seconds=30)


def look() -> int:
    """Have left-overs looked after on hosts that answer again; how many were begun."""
    ended = (Operation.State.FAILED, Operation.State.CANCELLED)
    rows = Operation.objects.filter(
        kind__in=(KIND, TIDY),
        state__in=ended,
        result__has_key="made",
        finished_at__lt=timezone.now() - _AFTER,
        host__in=Host.objects.filter(state=Host.State.UP).values("pk"),
    ).exclude(result__has_key="tidied_by")
    return sum(_begin(row) for row in rows.order_by("finished_at")[:_AT_ONCE])


def tidy(run: Run) -> bool:
    """Whether the clone stands after all; else all of it is taken away.

    Raises Conflict when something still cannot be.
    """
    plan, traces = plan_of(run.params["plan"]), Traces(run)
    with far_guest(run) as far:
        state = far.state()
    if traces.guest and state in (BEGUN if plan.start else DEFINED):
        return True
    if left := traces.take_away():
        raise Conflict(f"Still left of {plan.name}: {', '.join(left)}.")
    traces.stand()
    run.say(f"What was left of {plan.name} on {plan.host_name} is gone.")
    return False


def _begin(row: Operation) -> int:
    """Submit it; 1, or 0 when the guest is busy."""
    try:
        operation = submit(
            TIDY,
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
