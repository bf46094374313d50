"""Leads a convoy: hears what became of each guest, and begins the next ones.

It holds no worker and remembers nothing: it is called when a child has ended and now
and then, and all it knows stands in rows, so a killed worker costs it nothing. It ends:
each guest is tried at most twice, the second time with another host.
"""

from collections.abc import Sequence
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from guests.creation.coming import MOVE
from guests.draining import deeds, gathering, telling
from guests.draining.models import Convoy, Home, Step
from guests.draining.pacing import Limits, Way, next_up
from guests.models import Guest
from kvmweb.errors import AppError
from kvmweb.operations.ending import Turn, leads
from kvmweb.operations.models import Operation
from kvmweb.virt.types import DomainState

EVACUATE, RETURN, BALANCE = "host.evacuate", "host.return", "guests.balance"
ATTEMPTS = 2
BUSY_FOR = timedelta(minutes=10)  # then a guest that others keep busy is left
State, Deed = Step.State, Step.Deed
_MOVES = (Deed.MOVE, Deed.CARRY)
_ON = (DomainState.RUNNING, DomainState.PAUSED)


@leads(EVACUATE)
@leads(RETURN)
@leads(BALANCE)
def lead(operation: Operation) -> Turn:
    """One look at the convoy of this operation, and whatever may begin now."""
    convoy = Convoy.objects.get(pk=operation.pk)
    steps = list(convoy.steps.all())
    _hear(convoy, steps)
    if operation.cancel_requested_at is not None:
        _leave_waiting(steps)
    elif not convoy.paused:
        _begin_next(convoy, steps, operation)
    open_ = [it for it in steps if it.state in (State.WAITING, State.RUNNING)]
    if not open_:
        Convoy.objects.filter(pk=convoy.pk).update(ended_at=timezone.now())
        return Turn(end=telling.end_of(convoy, steps, operation))
    return Turn(1 - len(open_) / len(steps), telling.phase_of(convoy, steps))


def _hear(convoy: Convoy, steps: Sequence[Step]) -> None:
    """What became of those that were begun."""
    running = [it for it in steps if it.state == State.RUNNING]
    ended = Operation.objects.exclude(state__in=Operation.ACTIVE).in_bulk(
        [it.operation for it in running if it.operation]
    )
    for step in running:
        if step.operation in ended:
            _ended(convoy, step, ended[step.operation])


def _ended(convoy: Convoy, step: Step, child: Operation) -> None:
    step.sentence = child.message
    if child.state == Operation.State.SUCCEEDED or _is_there(step):
        step.state = State.DONE
        step.save()
        _remember(convoy, step)
    elif child.state == Operation.State.CANCELLED:
        step.state = State.LEFT
        step.save()
    else:
        _try_elsewhere(convoy, step)


def _is_there(step: Step) -> bool:
    """An error is not yet a failure: its row may know better."""
    if step.deed not in _MOVES or step.target is None:
        return False
    return Guest.objects.filter(pk=step.guest, host=step.target).exists()


def _try_elsewhere(convoy: Convoy, step: Step) -> None:
    """Once more with another host, if there is one; else it has failed."""
    step.state = State.FAILED
    if step.deed in _MOVES and step.target is not None:
        step.tried = [*step.tried, step.target]
        if step.attempts < ATTEMPTS and convoy.purpose == Convoy.Purpose.EVACUATE:
            _retarget(step)
    step.save()


def _retarget(step: Step) -> None:
    guest = Guest.objects.select_related("host").filter(pk=step.guest).first()
    if guest is None or guest.host_id != step.source or step.source is None:
        return
    found = gathering.planned([guest], leaving=[step.source], without=step.tried)
    for move in found.moves:
        step.state = State.WAITING
        step.target, step.target_name = move.host, move.host_name
        step.storage = move.offer.storage
        step.estimate = move.offer.as_json()
        step.why = [*move.why, f"The first try: {step.sentence}"]


def _leave_waiting(steps: Sequence[Step]) -> None:
    for step in steps:
        if step.state == State.WAITING:
            step.state = State.LEFT
            step.sentence = step.sentence or "It was not begun: somebody cancelled."
            step.save()


def _begin_next(convoy: Convoy, steps: Sequence[Step], operation: Operation) -> None:
    for step in steps:
        if step.state == State.WAITING and step.deed == Deed.LEAVE:
            step.state = State.LEFT
            step.save()
    limits = Limits(convoy.per_target, convoy.per_source, convoy.per_link)
    by_number = {it.number: it for it in steps}
    others = _other_moves(operation)
    refused = True
    while refused:  # what is refused at once makes room for the next; each only twice
        refused = False
        mine = [_way(it) for it in steps if it.state == State.RUNNING]
        running = [*mine, *others]
        waiting = [_way(it) for it in steps if _is_ready(it)]
        for number in next_up(running, waiting, limits):
            refused |= not _begin(convoy, by_number[number], operation)


def _other_moves(operation: Operation) -> list[Way]:
    """Those under way that are not of this convoy: they fill the same links."""
    rows = Operation.objects.filter(kind=MOVE, state__in=Operation.ACTIVE)
    rows = rows.exclude(parent=operation)
    ends = rows.values_list("host", "params__target")
    return [Way(-1, source, target) for source, target in ends]


def _is_ready(step: Step) -> bool:
    return step.state == State.WAITING and not step.waits


def _way(step: Step) -> Way:
    return Way(step.number, step.source, step.target)


def _begin(convoy: Convoy, step: Step, operation: Operation) -> bool:
    """Whether it was begun; one that is busy waits for the next look."""
    guest = Guest.objects.select_related("host").filter(pk=step.guest).first()
    if guest is None or guest.host_id != step.source or guest.state == "gone":
        _end(step, State.LEFT, f"{step.guest_name} is not there any more.")
        return False
    if step.deed == Deed.MOVE and guest.state not in _ON:
        _end(step, State.LEFT, f"{step.guest_name} does not run any more.")
        return False
    if Operation.objects.filter(guest=guest.pk, state__in=Operation.ACTIVE).exists():
        return _wait(step)
    step.state, step.attempts = State.RUNNING, step.attempts + 1
    step.busy_since = None
    step.save()  # from here on its own move is not in its own way
    try:
        with transaction.atomic():
            child = deeds.begin(step, guest, operation)
    except AppError as error:
        step.sentence = str(error)
        _try_elsewhere(convoy, step)
        return False
    step.operation = child.pk
    step.save()
    return True


def _wait(step: Step) -> bool:
    now = timezone.now()
    step.waits = True
    step.busy_since = step.busy_since or now
    if now - step.busy_since > BUSY_FOR:
        _end(step, State.FAILED, f"{step.guest_name} was busy all the time.")
        return False
    step.save()
    return False


def _end(step: Step, state: str, sentence: str) -> None:
    step.state, step.sentence = State(state), sentence
    step.save()


def _remember(convoy: Convoy, step: Step) -> None:
    """Where it came from, or that it is home again."""
    if convoy.purpose == Convoy.Purpose.RETURN:
        Home.objects.filter(pk=step.guest).delete()
    elif convoy.purpose == Convoy.Purpose.EVACUATE and step.source is not None:
        Home.objects.update_or_create(
            guest=step.guest,
            defaults={
                "guest_name": step.guest_name,
                "host_id": step.source,
                "deed": step.deed,
                "drain": convoy.pk,
            },
        )
