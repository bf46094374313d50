"""The slow part: a canary's round, and what an earlier one had to leave."""

from typing import Any

from guests.canary import rounds, rows
from kvmweb.accounts.gate import Right, need
from kvmweb.errors import Conflict
from kvmweb.operations.models import Operation
from kvmweb.operations.registry import Recovery, work
from kvmweb.operations.run import Run


def _allowed(operation: Operation) -> None:
    """Nothing, if who asked may still move guests. Raises Forbidden."""
    if operation.requested_by:
        need(operation.requested_by, Right.MIGRATE)


def _again(_run: Run) -> Recovery:
    """A round begins by taking away what its own earlier attempt had out."""
    return Recovery.AGAIN


@work(rows.RUN, allowed=_allowed, recover=_again, cancellable=True)
def run(run: Run) -> dict[str, Any]:
    """Fly every way between the hosts."""
    return rounds.fly(run)


@work(rows.TIDY, recover=_again)
def tidy(run: Run) -> None:
    """Take away what earlier rounds had to leave on hosts that did not answer."""
    if left := rounds.clear_all(run, rows.left_behind()):
        raise Conflict(f"Still left: {' '.join(left)}")
    run.say("Nothing of a canary is left anywhere.")
