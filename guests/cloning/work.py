"""Making clones, in a worker."""

from typing import Any

from guests.cloning import making
from guests.cloning.planning import KIND
from kvmweb.accounts.gate import Right, need
from kvmweb.operations.models import Operation
from kvmweb.operations.registry import work
from kvmweb.operations.run import Run


def _may_create(operation: Operation) -> None:
    """Nothing, if who asked may still make guests. Raises Forbidden."""
    if operation.requested_by is not None:
        need(operation.requested_by, Right.CREATE)


@work(KIND, allowed=_may_create, recover=making.recover, cancellable=True)
def clone(run: Run) -> dict[str, Any]:
    """Disks, seed, definition, start; nothing is left of it when one step fails."""
    return making.make(run)
