"""Templates: guests to clone, never to start. Ours to say, and true at once."""

from django.db import transaction

from guests.book import announce
from guests.models import Guest
from guests.services import need_there
from hosts.models import Volume
from kvmweb.accounts import audit
from kvmweb.accounts.models import User
from kvmweb.errors import Conflict
from kvmweb.operations.models import Operation
from kvmweb.operations.registry import label_of
from kvmweb.virt.types import DomainState

_OFF = {DomainState.SHUTOFF, DomainState.CRASHED}


def to_template(guest: Guest, *, by: User, address: str = "") -> None:
    """Make it something to clone, never to start; protected. Raises Conflict."""
    need_there(guest, by)
    with transaction.atomic():
        row = _locked(guest)
        if row.template:
            raise Conflict(f"{row.name} is a template already.")
        if row.state not in _OFF:
            raise Conflict(f"{row.name} is {row.state}: shut it down first.")
        if not row.persistent:
            raise Conflict(f"{row.name} is transient: it is gone when it is off.")
        if row.managed_save:
            raise Conflict(
                f"{row.name} was saved while it ran: its disks alone are not whole.",
                hint="Start it and shut it down first.",
            )
        if row.autostart:
            raise Conflict(
                f"{row.name} starts with its host.", hint="Switch that off first."
            )
        row.template = row.protected = True
        _changed(row, "guest.to-template", by, address)


def to_guest(guest: Guest, *, by: User, address: str = "") -> None:
    """Let a template be started again. Raises Conflict when clones stand on its disks."""
    with transaction.atomic():
        row = _locked(guest)
        if not row.template:
            raise Conflict(f"{row.name} is no template.")
        if above := standing_on(row):
            raise Conflict(
                f"Linked clones stand on the disks of {row.name} "
                f"({', '.join(above[:5])}): starting it would destroy them.",
                hint="Delete them first, or make a full clone of it.",
            )
        row.template = row.protected = False
        _changed(row, "guest.to-guest", by, address)


def standing_on(guest: Guest) -> list[str]:
    """The names of the volumes that stand on its disks."""
    paths = [path for path in guest.uses if path.startswith("/")]
    rows = Volume.objects.filter(pool__host=guest.host_id, backing_path__in=paths)
    return list(rows.exclude(path__in=paths).values_list("name", flat=True).distinct())


def _locked(guest: Guest) -> Guest:
    """Its row, held; nothing is under way on it. Raises Conflict."""
    row = Guest.objects.select_for_update(of=("self",)).get(pk=guest.pk)
    other = Operation.objects.filter(guest=guest.pk, state__in=Operation.ACTIVE).first()
    if other is not None:
        raise Conflict(
            f"{row.name} is busy: “{label_of(other.kind)}” is under way.",
            operation=str(other.pk),
        )
    return row


def _changed(row: Guest, action: str, by: User, address: str) -> None:
    row.save(update_fields=["template", "protected"])
    audit.record(
        action,
        actor=by,
        target=row.topic,
        outcome="succeeded",
        address=address,
        details={"template": row.template},
    )
    announce({row.pk})
