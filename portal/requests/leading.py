"""What became of the operation that carries out a request; in the transaction of its end."""

from guests import sizing
from guests.models import Guest
from kvmweb.operations.ending import ended
from kvmweb.operations.models import Operation
from portal.ledger import services as ledger
from portal.ledger.amounts import Amounts
from portal.requests import book, messages, plugs
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


@ended("guest.create")
@ended("guest.change")
def follow(operation: Operation) -> None:
    """The request is done, or it failed: what it was promised is settled or released."""
    rows = Request.objects.select_for_update(of=("self",)).select_related(
        "project", "requester", "flavor", "decided_by"
    )
    row = rows.filter(operation=operation.pk, state=State.PROVISIONING).first()
    if row is None:
        return
    if operation.state == Operation.State.SUCCEEDED:
        _ready(row)
    else:
        _failed(row, operation)


def _ready(row: Request) -> None:
    if row.kind == Kind.NEW and row.guest is not None:
        ledger.settle(row.topic, ledger.of_guest(row.guest))
        plugs.begin(row.guest, row.project, row.lease_days)
    row.sealed = ""  # it was told: nobody needs the secret any more
    book.became(row, State.READY, who=book.SYSTEM)
    messages.ready(row)


def _failed(row: Request, operation: Operation) -> None:
    """In words that name no host: who sees hosts reads more in the operation."""
    if row.kind == Kind.NEW:
        ledger.release(row.topic)
    elif guest := Guest.objects.filter(pk__in=[operation.guest]).first():
        size = sizing.settled(guest)
        amounts = Amounts(1, size.vcpus, size.memory_bytes, size.disk_bytes)
        ledger.change(ledger.of_guest(guest.pk), amounts, need=False)
    why = _WHY.get(operation.error_code, _FAILED)
    row.failure = f"{why} {_AFTER[Kind(row.kind)]}"
    book.became(row, State.FAILED, who=book.SYSTEM, why=row.failure)
    messages.failed(row)
