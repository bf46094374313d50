"""May guests move, where to, and what will it cost: from rows, or by asking both hosts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from guests.migration.cost import Estimate
from guests.migration.sides import Reason, Verdict
from guests.models import Guest
from hosts.models import Host
from kvmweb.operations.run import Run


@dataclass(frozen=True, slots=True)
class Check:
    """One guest and one host it could go to."""

    host: Host
    verdict: Verdict
    estimate: Estimate

    @property
    def ok(self) -> bool:
        """Whether nothing speaks against it."""
        return self.verdict.ok

    @property
    def storage(self) -> str:
        """shared, copy or none."""
        return self.verdict.storage

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Why not."""
        return self.verdict.reasons

    @property
    def notes(self) -> tuple[Reason, ...]:
        """What to know; it stops nothing."""
        return self.verdict.notes

    @property
    def asked_at(self) -> datetime | None:
        """When the two hosts were asked about this guest; None: never."""
        return self.verdict.asked_at


def checks(
    guests: Sequence[Guest],
    hosts: Sequence[Host] | None = None,
    *,
    live: bool | None = None,
) -> dict[UUID, list[Check]]:
    """For each guest every host, by name; its own is among them and never ok.

    Rows only; a fixed number of queries for any number of both. `live`: as if it ran, or
    as if it were off; None: as it is now.
    """
    raise NotImplementedError


def deep(run: Run, guest: Guest, target: Host, *, live: bool | None = None) -> Verdict:
    """The same for one host, by asking both hosts now; for workers.

    Tries in passing whether their storage is one. What it found is kept for `checks`.
    Raises HostError when one of the two cannot be asked.
    """
    raise NotImplementedError
