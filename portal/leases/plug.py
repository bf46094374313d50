"""Leases as requests know them: begun and extended when one comes true."""

from uuid import UUID

from kvmweb.accounts.models import Project, User
from portal.leases import services
from portal.requests import plugs


class Keeper:
    """Who keeps how long each machine may stay."""

    def begin(self, guest: UUID, project: Project, days: int) -> None:
        """A machine is there from now on, for so long."""
        services.begin(guest, project, days)

    def extend(self, guest: UUID, days: int, by: User | None) -> None:
        """It may stay so much longer. Raises Conflict."""
        services.extend(guest, days, by=by, asked=True)


plugs.leases(Keeper())
