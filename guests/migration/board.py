"""All that rows say about the moves of some guests, read once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from guests.migration.cost import Estimate, Load, estimate
from guests.migration.ends import Ends
from guests.migration.known import Records
from guests.migration.links import Links
from guests.migration.loads import Loads
from guests.migration.may import may
from guests.migration.needs import needs_of
from guests.migration.sides import Between, Needs, Reason, Side, Verdict
from guests.migration.wishes import MoveWish
from guests.models import Guest
from hosts.models import Host
from kvmweb.operations.models import Operation


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


class Board:
    """All that rows say about moves of these guests, read once."""

    def __init__(
        self,
        guests: Sequence[Guest],
        *,
        live: bool | None = None,
        besides: Operation | None = None,
    ) -> None:
        self._needs = needs_of(guests, live=live, besides=besides)
        self.ends = Ends(guests, self._needs)
        self._records = Records(guests)
        self._links = Links({guest.host_id for guest in guests if guest.host_id})
        self._loads = Loads(guests, self._records.paces)

    def check(self, guest: Guest, host: Host, wish: MoveWish | None = None) -> Check:
        """This guest and this host."""
        needs, source, target, between = self.case(guest, host.pk)
        verdict = may(needs, source, target, between)
        load = self.load(guest, needs, verdict)
        cost = estimate(load, self._links.between(source.id, target.id, guest.pk), wish)
        return Check(host, verdict, cost)

    def case(self, guest: Guest, host_id: int) -> tuple[Needs, Side, Side, Between]:
        """What `may` is asked."""
        needs = self._needs[guest.pk]
        source, target = self.ends.side(guest.host_id), self.ends.side(host_id)
        if self.ends.has_other(host_id, guest):
            target = replace(target, taken=True)
        return (
            needs,
            source,
            target,
            self._records.between(guest, needs, source, target),
        )

    def load(self, guest: Guest, needs: Needs, verdict: Verdict) -> Load:
        """What is to be sent."""
        return self._loads.of(guest, live=needs.live, disk_bytes=verdict.bytes_to_copy)
