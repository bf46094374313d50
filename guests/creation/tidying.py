"""What a creation had to leave on a host that did not answer: kept if it stands, else gone."""

from typing import Any

from guests.creation import leftovers
from guests.creation.making import discard_seed, is_whole, stands
from guests.creation.plan import plan_of
from guests.creation.traces import Traces
from kvmweb.errors import Conflict
from kvmweb.operations.run import Run

KIND = "guest.tidy-up"


def look() -> int:
    """Have left-overs looked after on hosts that answer again; how many were begun."""
    return leftovers.look(("guest.create", KIND), KIND)


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
