"""Making guests, in a worker."""

from typing import Any

from guests.creation import making, tidying
from guests.creation.plan import KIND, plan_of
from kvmweb.accounts.gate import Right, need
from kvmweb.operations.models import Operation
from kvmweb.operations.registry import Recovery, work
from kvmweb.operations.run import Run


def _may_create(operation: Operation) -> None:
    """Nothing, if who asked may still make such a guest. Raises Forbidden."""
    if operation.requested_by is None:
        return
    if operation.params.get("granted"):
        need(operation.requested_by, Right.SIGNED_IN)  # who approved it had the right
        return
    need(operation.requested_by, Right.CREATE)
    blueprint = plan_of(operation.params["plan"]).blueprint
    if blueprint.given or blueprint.shares:
        need(operation.requested_by, Right.HOST_DEVICES)


@work(KIND, allowed=_may_create, recover=making.recover, cancellable=True)
def create(run: Run) -> dict[str, Any]:
    """Volumes, seed, definition, start; nothing is left of it when one step fails."""
    return making.make(run)


def _again(_run: Run) -> Recovery:
    """Every step of it may be done twice."""
    return Recovery.AGAIN


@work(tidying.KIND, recover=_again)
def tidy_up(run: Run) -> dict[str, Any]:
    """Keep or take away what a creation left on a host that did not answer."""
    return tidying.tidy(run)
