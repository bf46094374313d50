"""What a request is, and what may become of it. Pure."""

from enum import StrEnum

from kvmweb.errors import Conflict


class Kind(StrEnum):
    """What is asked for."""

    NEW = "new"  # a machine
    RESIZE = "resize"  # another size of one that is there
    EXTEND = "extend"  # more time for one


class State(StrEnum):
    """pending → approved → provisioning → ready; or it ends before."""

    PENDING = "pending"
    APPROVED = "approved"
    PROVISIONING = "provisioning"
    READY = "ready"
    REJECTED = "rejected"
    FAILED = "failed"  # may be tried again
    CANCELLED = "cancelled"


_WAYS = {
    State.PENDING: {State.APPROVED, State.REJECTED, State.CANCELLED},
    State.APPROVED: {State.PROVISIONING, State.READY},
    State.PROVISIONING: {State.READY, State.FAILED},
    State.FAILED: {State.APPROVED},
    State.READY: set(),
    State.REJECTED: set(),
    State.CANCELLED: set(),
}
OPEN = frozenset({State.PENDING, State.APPROVED, State.PROVISIONING})  # promised room
DECIDED = frozenset(State) - {State.PENDING, State.CANCELLED}
_SAID = {
    State.PENDING: "waits for a decision",
    State.APPROVED: "was approved already",
    State.PROVISIONING: "was approved already and is being carried out",
    State.READY: "was approved already and is done",
    State.REJECTED: "was rejected already",
    State.FAILED: "was approved already, but failed: it can be tried again",
    State.CANCELLED: "was cancelled by who asked",
}


def need_way(what: str, now: str, to: State) -> None:
    """Nothing. Raises Conflict when `what`, a request by name, cannot become so."""
    if to not in _WAYS[State(now)]:
        raise Conflict(f"The request for {what} {_SAID[State(now)]}.")


def need_pending(what: str, now: str) -> None:
    """Nothing. Raises Conflict when it is too late to change or decide it."""
    if now != State.PENDING:
        raise Conflict(f"The request for {what} {_SAID[State(now)]}.")
