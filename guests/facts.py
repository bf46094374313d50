"""What hosts said of their guests, stored and announced, only if new.

The only writer of fact columns. A guest has one home, whatever comes in whatever order:
further hosts with the same UUID are twins, each with all it would need to be the home.
"""

from collections.abc import Collection, Sequence
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from guests.book import Book, announce
from guests.canary.models import Canary
from guests.models import Guest, Twin
from hosts.models import Host
from hosts.recorders import recorder
from kvmweb.virt.types import DomainFacts, DomainState, Lost


@recorder("look")
def record_look(
    host: Host, domains: Sequence[DomainFacts], *, complete: bool = True
) -> None:
    """Make our rows say what the host has now; what a complete look misses, it lost.

    A few queries for any number of domains.
    """
    told = {each.uuid: each for each in domains}
    for canary in _canaries(told):
        del told[canary]
    with transaction.atomic():
        known = _known_at(host) if complete else set()
        book = Book(host, known | set(told))
        for facts in told.values():
            book.see(facts, "")
        for uuid in known - set(told):
            book.miss(uuid, "")
        book.write()


@recorder("domain")
def record_domain(host: Host, facts: DomainFacts, event: str) -> None:
    """Make one guest's row say what its host has now; `event` is what woke us."""
    if _canaries([facts.uuid]):
        return
    with transaction.atomic():
        book = Book(host, {facts.uuid})
        book.see(facts, event)
        book.write()


@recorder("vanished")
def record_vanished(host: Host, uuid: UUID, event: str) -> None:
    """The host has this guest no more: it moved to where else it is, or is gone."""
    with transaction.atomic():
        book = Book(host, {uuid})
        book.miss(uuid, event)
        book.write()


@recorder("lost")
def host_lost(host: Host, _lost: Lost) -> None:
    """Nobody knows how the guests of this host are; what was known stays beside it."""
    now = timezone.now()
    with transaction.atomic():
        twins = Twin.objects.filter(host=host).exclude(state=DomainState.UNKNOWN)
        at_home = Guest.objects.filter(host=host).exclude(
            state__in=[DomainState.GONE, DomainState.UNKNOWN]
        )
        touched = {*at_home.values_list("pk", flat=True)}
        elsewhere = {*twins.values_list("guest", flat=True)}
        at_home.update(
            known_state=F("state"),
            known_since=F("state_since"),
            state=DomainState.UNKNOWN,
            state_since=now,
        )
        twins.update(state=DomainState.UNKNOWN, moving=False)
        book = Book(host, touched | elsewhere)
        for uuid in touched:
            book.follow(uuid)
        book.write()
        announce((touched | elsewhere) - book.changed)


@recorder("removed")
def host_removed(host: Host) -> None:
    """The host leaves us: its guests are gone, with owner, tags and history kept."""
    homes = Guest.objects.filter(host=host).exclude(state=DomainState.GONE)
    uuids = {*homes.values_list("pk", flat=True)}
    uuids |= {*Twin.objects.filter(host=host).values_list("guest", flat=True)}
    with transaction.atomic():
        book = Book(host, uuids)
        for uuid in uuids:
            book.miss(uuid, f"{host.name} was removed from kvmweb")
        book.write()


def _canaries(uuids: Collection[UUID]) -> list[UUID]:
    """Those that are no guests: canaries that are out, or were lately. One query."""
    rows = Canary.objects.values_list("pk", flat=True)
    return [uuid for uuid in rows if uuid in uuids]


def _known_at(host: Host) -> set[UUID]:
    """The guests whose home or twin we believe to be there."""
    homes = Guest.objects.filter(host=host).exclude(state=DomainState.GONE)
    twins = Twin.objects.filter(host=host)
    return {*homes.values_list("pk", flat=True), *twins.values_list("guest", flat=True)}
