"""A convoy in words: how far it is, and how it ended, guest by guest."""

from collections.abc import Sequence
from typing import Any

from guests.draining.models import Convoy, Step
from kvmweb.operations.ending import End
from kvmweb.operations.models import Operation

State, Deed = Step.State, Step.Deed
_DONE = {
    Deed.MOVE: "moved",
    Deed.CARRY: "moved while off",
    Deed.SHUT_DOWN: "shut down",
    Deed.SUSPEND: "suspended",
    Deed.START: "started again",
}


def phase_of(convoy: Convoy, steps: Sequence[Step]) -> str:
    """What goes on now."""
    running = [it.guest_name for it in steps if it.state == State.RUNNING]
    waiting = sum(it.state == State.WAITING for it in steps)
    told = []
    if running:
        others = " and others" if len(running) > 4 else ""
        told.append(f"on the way: {', '.join(running[:4])}{others}")
    if convoy.paused:
        told.append("paused")
    told.append(f"{waiting} to come" if waiting else "nobody waits")
    return "; ".join(told)


def end_of(convoy: Convoy, steps: Sequence[Step], operation: Operation) -> End:
    """How it ended: failed when one failed, cancelled when somebody wished so."""
    failed = [it.guest_name for it in steps if it.state == State.FAILED]
    left = [it for it in steps if it.state == State.LEFT]
    unwished = [it for it in left if it.deed != Deed.LEAVE]
    words = [_counted(steps), *_stay(left, unwished)]
    if failed:
        names = ", ".join(failed[:5]) + (" and others" if len(failed) > 5 else "")
        words.append(f"{len(failed)} did not work out: {names}.")
    message = " ".join(filter(None, [_head(convoy), *words]))
    state, code = Operation.State.SUCCEEDED, ""
    if operation.cancel_requested_at is not None and unwished:
        state, code = Operation.State.CANCELLED, "cancelled"
    elif failed:
        state, code = Operation.State.FAILED, "some_failed"
    return End(state, message, code, result={"guests": [went(it) for it in steps]})


def went(step: Step) -> dict[str, Any]:
    """One guest: where it was, what was done, where it is."""
    moved = step.state == State.DONE and step.target is not None
    return {
        "guest": str(step.guest),
        "name": step.guest_name,
        "deed": step.deed,
        "state": step.state,
        "from": step.source_name,
        "to": step.target_name if moved else step.source_name,
        "attempts": step.attempts,
        "message": step.sentence,
    }


def _head(convoy: Convoy) -> str:
    if convoy.purpose == Convoy.Purpose.EVACUATE:
        return f"{convoy.host_name}:"
    if convoy.purpose == Convoy.Purpose.RETURN:
        return f"Back to {convoy.host_name}:"
    return "Balanced:"


def _counted(steps: Sequence[Step]) -> str:
    parts = []
    for deed, word in _DONE.items():
        count = sum(it.deed == deed and it.state == State.DONE for it in steps)
        if count:
            parts.append(f"{count} {word}")
    return f"{', '.join(parts)}." if parts else "Nothing was to be done."


def _stay(left: Sequence[Step], unwished: Sequence[Step]) -> list[str]:
    told = []
    if chosen := len(left) - len(unwished):
        told.append(f"{chosen} left as chosen.")
    if unwished:
        names = ", ".join(it.guest_name for it in unwished[:5])
        told.append(f"{len(unwished)} not moved: {names}.")
    return told
