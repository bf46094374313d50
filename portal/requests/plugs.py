"""The way back to who keeps leases: plugged in here, asked when a request comes true."""

from typing import Protocol
from uuid import UUID

from kvmweb.accounts.models import Project, User


class Leases(Protocol):
    """Who keeps how long each machine may stay."""

    def begin(self, guest: UUID, project: Project, days: int) -> None:
        """A machine is there from now on, for so long."""

    def extend(self, guest: UUID, days: int, by: User | None) -> None:
        """It may stay so much longer. Raises Conflict when it has no lease."""


_keepers: list[Leases] = []


def leases(keeper: Leases) -> Leases:
    """Plug: ask this one."""
    _keepers.append(keeper)
    return keeper


def begin(guest: UUID, project: Project, days: int) -> None:
    """Tell who keeps leases that one begins."""
    for keeper in _keepers:
        keeper.begin(guest, project, days)


def extend(guest: UUID, days: int, by: User | None) -> None:
    """Have who keeps leases move an end."""
    for keeper in _keepers:
        keeper.extend(guest, days, by)
