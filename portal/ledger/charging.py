"""What guests of projects take up, charged when it is asked for.

Plugged into guests.charging; the end of each operation says what became of it.
"""

from collections.abc import Collection

from guests import charging, sizing
from guests.charging import Coming, Size
from guests.models import Guest
from kvmweb.accounts.models import Project
from kvmweb.errors import Conflict
from kvmweb.operations.ending import ended
from kvmweb.operations.models import Operation
from portal.ledger import queries, services
from portal.ledger.amounts import Amounts
from portal.ledger.models import Charge

State = Operation.State


class ProjectLedger:
    """Asks the quota of the guest's project, if it has one."""

    def coming(self, project: Project | None, guest: Coming) -> None:
        """Charge for a guest that is to be made; what was approved is charged already."""
        if project is not None and not guest.granted:
            services.reserve(
                project,
                services.of_guest(guest.uuid),
                amounts_of(guest.size),
                guest.name,
                operation=guest.operation,
            )

    def growing(self, guest: Guest, more: Size) -> None:
        """Charge for what it will be."""
        if guest.project_id is not None:
            subject = services.of_guest(guest.pk)
            services.change(subject, amounts_of(sizing.settled(guest) + more))

    def tagged(self, guest: Guest, tags: Collection[str]) -> None:
        """Tags cost nothing."""

    def given(self, guest: Guest, project: Project | None) -> None:
        """Take it off its old project and charge the new one."""
        subject = services.of_guest(guest.pk)
        services.release(subject)
        if project is not None:
            amounts = amounts_of(sizing.of(guest))
            services.reserve(project, subject, amounts, guest.name)
            services.settle(subject, subject)

    def keeping(self, guest: Guest, snapshots: int) -> None:
        """Refuse more snapshots than the project's guests may have."""
        if guest.project_id is None:
            return
        most = queries.usage([guest.project_id])[guest.project_id].snapshots
        if most is not None and snapshots > most:
            raise Conflict(
                f"{guest.name} has {guest.snapshots} snapshots, and a guest of "
                f"{guest.project} may have {most}.",
                hint="Delete one that is not needed.",
            )


charging.ledger(ProjectLedger())


@ended("guest.create")
@ended("guest.clone")
def made_or_not(operation: Operation) -> None:
    """The charge of a guest that was to be made: there now, or released."""
    subject = services.of_guest(operation.guest or "")
    if operation.state == State.SUCCEEDED:
        services.settle(subject, subject)
    else:
        services.release(subject)


@ended("guest.delete")
def deleted(operation: Operation) -> None:
    """A deleted guest takes up nothing."""
    if operation.state == State.SUCCEEDED:
        services.release(services.of_guest(operation.guest or ""))


def follow() -> None:
    """Make the charges of guests what their hosts say of them.

    What was changed behind our back counts from now on, also beyond the quota; what is
    on its way is left alone. A guest that is gone is still charged: it may come back.
    """
    busy = Operation.objects.filter(state__in=Operation.ACTIVE).exclude(guest=None)
    rows = Guest.objects.exclude(project=None).exclude(state="gone")
    charges = {
        charge.subject: charge
        for charge in Charge.objects.filter(subject__startswith="guest:")
    }
    guests = list(rows.exclude(pk__in=busy.values("guest")))
    sizes = sizing.of_all(guests)
    for guest in guests:
        charge = charges.get(services.of_guest(guest.pk))
        amounts = amounts_of(sizes[guest.pk])
        if charge is not None and charge.amounts != amounts:
            services.change(charge.subject, amounts, need=False)


def amounts_of(size: Size) -> Amounts:
    """What one guest of this size takes up."""
    return Amounts(1, size.vcpus, size.memory_bytes, size.disk_bytes)
