"""What a creation had to leave on a host that did not answer: kept if it stands, else gone.

Whoever made it says so in `result["made"]`, and has failed. Each tidying is an operation
like any other; one that fails leaves the same notes for the next.
"""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from guests.creation.making import discard_seed, is_whole, stands
from guests.creation.plan import plan_of
from guests.creation.traces import Traces
from hosts.models import Host
from kvmweb.errors import Conflict
from kvmweb.operations.models import Operation
from kvmweb.operations.run import Run
from kvmweb.operations.services import submit

KIND = "guest.tidy-up"
_AT_ONCE = 10
_AFTER = timedelta(seconds=30)


def look() -> int:
    """Have left-overs looked after on hosts that answer again; how many were begun."""
    ended = (Operation.State.FAILED, Operation.State.CANCELLED)
    rows = Operation.objects.filter(
        kind__in=("guest.create", KIND),
        state__in=ended,
        result__has_key="made",
        finished_at__lt=timezone.now() - _AFTER,
        host__in=Host.objects.filter(state=Host.State.UP).values("pk"),
    ).exclude(result__has_key="tidied_by")
    begun = 0
    for row in rows.order_by("finished_at")[:_AT_ONCE]:
        begun += _begin(row)
    return begun


def tidy(run: Run) -> dict[str, Any]:
    """Keep the guest if it runs as it was wished; else take away what there is of it.

    Raises Conflict when something still cannot be taken away.
    """
    plan, traces = plan_of(run.params["plan"]), Traces(run)
    if traces.guest and is_whole(run, plan):
        return stands(run, plan, traces)
    left = traces.take_away()
    if not left and plan.seed_pool is not None:
        left = discard_seed(run, plan)
    name = plan.blueprint.name
    if left:
        raise Conflict(f"Still left of {name}: {', '.join(left)}.")
    traces.stand()
    run.say(f"What was left of {name} on {plan.host_name} is gone.")
    return {}


def _begin(row: Operation) -> int:
    """Submit it; 1, or 0 when the guest is busy."""
    try:
        operation = submit(
            KIND,
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
