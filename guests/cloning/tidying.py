"""What a clone had to leave on a host that did not answer: taken away when it does."""

from guests.cloning.planning import KIND, plan_of
from guests.creation import leftovers
from guests.creation.making import BEGUN, DEFINED
from guests.creation.traces import Traces
from guests.far import far_guest
from kvmweb.errors import Conflict
from kvmweb.operations.run import Run

TIDY = "guest.tidy-up-clone"


def look() -> int:
    """Have left-overs looked after on hosts that answer again; how many were begun."""
    return leftovers.look((KIND, TIDY), TIDY)


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
