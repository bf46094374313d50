"""The slow part of what is asked of moves."""

from typing import Any

from guests.migration import moving
from guests.work import allowed
from kvmweb.accounts.gate import Right
from kvmweb.operations.registry import work
from kvmweb.operations.run import Run


@work(
    "guest.migrate",
    allowed=allowed(Right.MIGRATE),
    recover=moving.recover,
    cancellable=True,
)
def migrate(run: Run) -> dict[str, Any]:
    """Bring a guest to another host."""
    return moving.move(run)
