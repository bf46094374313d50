"""What became of the operation that carries out a request; in the transaction of its end."""

from django.db import transaction

from guests import sizing
from guests.models import Guest
from kvmweb.errors import AppError
from kvmweb.operations.ending import ended
from kvmweb.operations.models import Operation
from portal.ledger import services as ledger
from portal.ledger.charging import amounts_of
from portal.requests import book, messages, plugs, provisioning, resizing
from portal.requests.models import Request
from portal.requests.states import Kind, State

_WHY = {
    "cancelled": "Its making was cancelled.",
    "expired": "Nobody was free to make it in time.",
    "host_unreachable": "Where it was to run, nobody answered.",
    "host_timeout": "Where it was to run, nobody answered in time.",
    "forbidden": "Who asked for it may not have it any more.",
}
_FAILED = "Something went wrong while it was made."
_AFTER = {
    Kind.NEW: "Nothing of it is left, its quota is free again, and it can be tried again.",
    Kind.RESIZE: "The machine is as it was, and it can be tried again.",
}
_AFTER_GROWING = "The disk is as large as it was, and it can be tried again."
_GROWING = "guest.disk-grow"


@ended("guest.create")
@ended("guest.change")
@ended(_GROWING)
def follow(operation: Operation) -> None:
    """The request is done, or it failed: what it was promised is settled or released."""
    rows = Request.objects.select_for_update(of=("self",)).select_related(
        "project", "requester", "flavor", "decided_by"
    )
    row = rows.filter(operation=operation.pk, state=State.PROVISIONING).first()
    if row is None:
        return
    if operation.state != Operation.State.SUCCEEDED:
        _failed(row, operation)
    elif row.kind == Kind.RESIZE:
        _resized(row, operation)
    else:
        _ready(row)


def _resized(row: Request, operation: Operation) -> None:
    """One step of it is done: the next one, if there is another."""
    if resizing.is_done(row, operation):
        ledger.release(row.topic)
        _ready(row)
        return
    try:
        with transaction.atomic():
            guest = provisioning.target_of(row)
            requester = provisioning.need_requester(row)
            following = resizing.grow(row, guest, requester)
    except AppError:
        _failed(row, operation)
        return
    row.operation = following.pk
    why = "Its processors and memory are changed; its disk grows."
    book.happened(row, "provisioning", who=book.SYSTEM, why=why)


@ended("guest.delete")
def forget(operation: Operation) -> None:
    """What was asked about a machine that is no more is taken back; its quota is free."""
    if operation.state != Operation.State.SUCCEEDED or operation.guest is None:
        return
    rows = Request.objects.select_for_update(of=("self",)).select_related(
        "project", "requester", "flavor"
    )
    about = rows.filter(guest=operation.guest, state=State.PENDING)
    for row in about.exclude(kind=Kind.NEW):
        ledger.release(row.topic)
        book.became(row, State.CANCELLED, who=book.SYSTEM, why="It was deleted.")


def _ready(row: Request) -> None:
    if row.kind == Kind.NEW and row.guest is not None:
        ledger.settle(row.topic, ledger.of_guest(row.guest))
        plugs.begin(row.guest, row.project, row.lease_days)
    row.sealed = ""  # it was told: nobody needs the secret any more
    book.became(row, State.READY, who=book.SYSTEM)
    messages.ready(row)


def _failed(row: Request, operation: Operation) -> None:
    """In words that name no host: who sees hosts reads more in the operation."""
    ledger.release(row.topic)
    after = _AFTER[Kind(row.kind)]
    if row.kind == Kind.RESIZE:
        _charge_as_it_is(operation)
        if operation.kind == _GROWING or operation.state == Operation.State.SUCCEEDED:
            after = _AFTER_GROWING
    row.failure = f"{_WHY.get(operation.error_code, _FAILED)} {after}"
    book.became(row, State.FAILED, who=book.SYSTEM, why=row.failure)
    messages.failed(row)


def _charge_as_it_is(operation: Operation) -> None:
    guest = Guest.objects.filter(pk__in=[operation.guest]).first()
    if guest is not None:
        amounts = amounts_of(sizing.settled(guest))
        ledger.change(ledger.of_guest(guest.pk), amounts, need=False)
