"""Who keeps account of what guests take up. The one who does plugs in here.

Asked inside the transaction in which a guest is to be made, to grow, or to be given to
a project, so that a refusal (Conflict) leaves nothing behind. Once it came true, and at
its end, the ledger is told; it never asks a host.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from guests.models import Guest
from kvmweb.accounts.models import Project


@dataclass(frozen=True, slots=True)
class Size:
    """What a guest takes up."""

    vcpus: int = 0
    memory_bytes: int = 0
    disk_bytes: int = 0

    def __add__(self, other: "Size") -> "Size":
        return Size(
            self.vcpus + other.vcpus,
            self.memory_bytes + other.memory_bytes,
            self.disk_bytes + other.disk_bytes,
        )


@dataclass(frozen=True, slots=True)
class Coming:
    """A guest that an operation is going to make."""

    uuid: UUID
    name: str
    operation: UUID
    size: Size
    tags: tuple[str, ...] = ()
    granted: str = ""  # what was approved, and is charged already: "request:7"


class Ledger(Protocol):
    """What keeps account."""

    def coming(self, project: Project | None, guest: Coming) -> None:
        """A guest is to be made. Raises Conflict when it may not be."""

    def growing(self, guest: Guest, more: Size) -> None:
        """A guest is to become larger by this. Raises Conflict when it may not."""

    def tagged(self, guest: Guest, tags: Collection[str]) -> None:
        """It is to have these tags. Raises Conflict when it may not."""

    def given(self, guest: Guest, project: Project | None) -> None:
        """It is to be this project's. Raises Conflict when that has no room."""

    def keeping(self, guest: Guest, snapshots: int) -> None:
        """It is to have so many snapshots. Raises Conflict when it may not."""


_ledgers: list[Ledger] = []


def ledger(plugged: Ledger) -> Ledger:
    """Plug: ask this one, too."""
    _ledgers.append(plugged)
    return plugged


def coming(project: Project | None, guest: Coming) -> None:
    """Ask all of them; see Ledger."""
    for each in _ledgers:
        each.coming(project, guest)


def growing(guest: Guest, more: Size) -> None:
    """Ask all of them; see Ledger."""
    for each in _ledgers:
        each.growing(guest, more)


def tagged(guest: Guest, tags: Collection[str]) -> None:
    """Ask all of them; see Ledger."""
    for each in _ledgers:
        each.tagged(guest, tags)


def given(guest: Guest, project: Project | None) -> None:
    """Ask all of them; see Ledger."""
    for each in _ledgers:
        each.given(guest, project)


def keeping(guest: Guest, snapshots: int) -> None:
    """Ask all of them; see Ledger."""
    for each in _ledgers:
        each.keeping(guest, snapshots)
