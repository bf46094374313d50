"""Begin what is to become of one guest: an operation of its own below its convoy's."""

from guests.draining.models import Step
from guests.migration.services import migrate
from guests.migration.wishes import LIVE, OFFLINE, MoveWish
from guests.models import Guest
from kvmweb.errors import Conflict
from kvmweb.operations.models import Operation
from kvmweb.operations.services import submit

_KINDS = {
    Step.Deed.SHUT_DOWN: "guest.shutdown",
    Step.Deed.SUSPEND: "guest.save",
    Step.Deed.START: "guest.start",
}
_EXPIRES_S = 1800  # a convoy is long; what is begun may wait for its turn


def begin(step: Step, guest: Guest, parent: Operation) -> Operation:
    """Ask for it in the name of who asked for the convoy. Raises AppError when refused."""
    person = parent.requested_by
    if person is None:
        raise Conflict(f"{parent.author or 'Who asked for it'} is not known any more.")
    if step.deed in (Step.Deed.MOVE, Step.Deed.CARRY):
        mode = LIVE if step.deed == Step.Deed.MOVE else OFFLINE
        wish = MoveWish(host=step.target, mode=mode)
        return migrate(
            person,
            guest,
            wish,
            parent=parent,
            address=parent.address,
            expires_s=_EXPIRES_S,
        )
    return submit(
        _KINDS[Step.Deed(step.deed)],
        by=person,
        guest=guest.pk,
        guest_name=guest.name,
        host=guest.host_id,
        host_name=guest.host.name if guest.host else "",
        parent=parent,
        address=parent.address,
        expires_s=_EXPIRES_S,
    )
