"""What people can ask of their machines beyond what guests can: to hand one over."""

from django.db import transaction
from django.urls import reverse

from guests import edits, labelling
from guests import services as guests
from guests.book import announce
from guests.edits import Edit
from guests.models import Guest
from kvmweb.accounts import audit
from kvmweb.accounts.models import User
from kvmweb.accounts.services import Asker
from kvmweb.errors import Conflict
from kvmweb.operations.models import Operation
from portal.machines import access
from portal.telling.services import tell


def need_colleagues(guest: Guest) -> None:
    """Nothing. Raises Conflict when it is in no project."""
    if guest.project is None:
        raise Conflict(f"{guest.name} is in no project: there are no colleagues.")


def hand_over(guest: Guest, username: str, *, by: User, address: str = "") -> Guest:
    """Give a machine to somebody who runs machines in its project, too.

    They and who had it are told. Raises NotFound when they do not, Conflict when it is
    in no project.
    """
    guests.need_known(guest)
    need_colleagues(guest)
    with transaction.atomic():
        rows = Guest.objects.select_for_update(of=("self",))
        guest = rows.select_related("host", "owner", "project").get(pk=guest.pk)
        to, giver = access.colleague(guest, username), guest.owner
        edits.apply(guest, Edit(owner=to.username))
        audit.record(
            "guest.hand-over",
            actor=by,
            target=guest.topic,
            outcome="succeeded",
            address=address,
            details={"from": giver.username if giver else "", "to": to.username},
        )
        labelling.one(guest, Asker(by, address))
        announce({guest.pk})
        _tell(guest, to, giver, by)
    return guest


def delete(guest: Guest, *, by: User, address: str = "") -> Operation:
    """Delete a machine with those of its volumes that nobody else uses. Raises Conflict."""
    return guests.delete(guest, volumes=True, by=by, address=address)


def _tell(guest: Guest, to: User, giver: User | None, by: User) -> None:
    page = reverse("machine", args=[guest.pk])
    data: dict[str, object] = {
        "guest": str(guest.pk),
        "name": guest.name,
        "from": giver.username if giver else None,
        "to": to.username,
    }
    who = by.username
    tell(
        "guest.handed-over",
        [to],
        title=f"{guest.name} is yours now",
        text=f"{who} handed it over to you, in the project {guest.project}.",
        page=page,
        data=data,
    )
    tell(
        "guest.handed-over",
        [giver or by],
        title=f"{guest.name} was handed over to {to.username}",
        text=f"{who} did so. It stays in the project {guest.project}.",
        page=page,
        data=data,
    )
