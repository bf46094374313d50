"""Making clones, in a worker."""

from typing import Any

from guests.cloning import making
from guests.cloning.planning import KIND
from guests.cloning.tidying import TIDY
from kvmweb.accounts.gate import Right, need
from kvmweb.operations.models import Operation
from kvmweb.operations.registry import Recovery, work
from kvmweb.operations.run import Run


def _may_create(operation: Operation) -> None:
    """Nothing, if who asked may still make guests. Raises Forbidden."""
    if operation.requested_by is not None:
        need(operation.requested_by, Right.CREATE)


def _again(_run: Run) -> Recovery:
    """Every step of it may be done twice."""
    return Recovery.AGAIN


@work(TIDY, recover=_again)
def tidy_up(run: Run) -> dict[str, Any]:
    """Keep or take away what a clone left on a host that did not answer."""
    return making.tidied(run)


@work(KIND, allowed=_may_create, recover=making.recover, cancellable=True)
def clone(run: Run) -> dict[str, Any]:
    """Disks, seed, definition, start; nothing is left of it when one step fails."""
    return making.make(run)
