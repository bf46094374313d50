"""From rows to the values a plan is made of. A fixed number of queries for any number."""

from collections.abc import Collection, Iterable, Sequence

from guests.balance.models import PlacementRule
from guests.creation.places import DiskNeed, Need, Room, TagRule
from guests.creation.rooms import RUNNING, rooms
from guests.draining.loss import Resident
from guests.draining.planning import NONE, Offer, Plan, Reason, Traveller, plan
from guests.migration.questions import Check, checks
from guests.migration.wishes import LIVE, MoveWish
from guests.models import Guest
from hosts.models import Host, Volume

_THIS, _BUSY = "already_there", "busy"


def planned(
    guests: Sequence[Guest],
    *,
    leaving: Collection[int],
    without: Collection[int] = (),
    wish: MoveWish | None = None,
) -> Plan:
    """Where these would go now; none to `without`."""
    names = {guest.name for guest in guests}
    every = rooms(names, but_for={guest.pk for guest in guests})
    shut = set(leaving) | set(without)
    found = travellers(guests, every, shut=shut, wish=wish)
    return plan(
        found, every, leaving=frozenset(shut), residents=residents(guests, leaving)
    )


def travellers(
    guests: Sequence[Guest],
    every: Sequence[Room],
    *,
    shut: Collection[int] = (),
    wish: MoveWish | None = None,
) -> list[Traveller]:
    """The guests with the hosts that would take them, and why the others would not."""
    told = checks(guests, live=wish.mode == LIVE if wish else None, wish=wish)
    pools, rules = _pools_of(guests), _rules()
    found = []
    for guest in guests:
        asked = [it for it in told.get(guest.pk, []) if it.host.pk != guest.host_id]
        offers = tuple(
            _offer(it) for it in asked if _takes(it) and it.host.pk not in shut
        )
        need = Need(
            name=guest.name,
            vcpus=guest.vcpus,
            memory_bytes=guest.memory_bytes if guest.state in RUNNING else 0,
            disks=_disks(asked, offers, pools.get(guest.pk, ""), every),
            keep=tuple(rule for rule in rules if rule.tag in guest.tags),
        )
        found.append(Traveller(str(guest.pk), need, offers, _reasons(asked, shut)))
    return found


def residents(but_for: Sequence[Guest], leaving: Collection[int]) -> list[Resident]:
    """Who runs on the other hosts."""
    rows = Guest.objects.filter(state__in=RUNNING, host__isnull=False)
    rows = rows.exclude(host__in=list(leaving)).order_by()
    gone = {guest.pk for guest in but_for}
    columns = ("pk", "name", "host", "memory_bytes")
    return [
        Resident(name, host or 0, memory)
        for pk, name, host, memory in rows.values_list(*columns)
        if pk not in gone
    ]


def guests_of(host: Host, *, running: bool) -> list[Guest]:
    """Its guests that run, or those that are off."""
    rows = host.guests.select_related("host").order_by("name", "uuid")
    if running:
        return list(rows.filter(state__in=RUNNING))
    return list(rows.filter(state__in=("shutoff", "crashed")))


def _takes(check: Check) -> bool:
    """Whether nothing speaks against it that does not end by itself."""
    return check.ok or {reason.code for reason in check.reasons} == {_BUSY}


def _offer(check: Check) -> Offer:
    cost = check.estimate
    return Offer(
        host=check.host.pk,
        storage=check.storage or NONE,
        seconds=cost.seconds,
        downtime_ms=cost.downtime_ms,
        bytes=cost.bytes,
        converges=cost.converges,
    )


def _reasons(asked: Iterable[Check], shut: Collection[int]) -> tuple[Reason, ...]:
    """Of the hosts that were asked for at all."""
    return tuple(
        Reason(it.host.name, reason.code, reason.message, reason.fix)
        for it in asked
        if it.host.pk not in shut
        for reason in it.reasons
        if reason.code not in (_THIS, _BUSY)
    )


def _disks(
    asked: Iterable[Check], offers: Sequence[Offer], pool: str, every: Sequence[Room]
) -> tuple[DiskNeed, ...]:
    """What a copy takes, where it is known into which pool; else each was asked alone."""
    size = max((it.verdict.bytes_to_copy for it in asked), default=0)
    takers = {offer.host for offer in offers}
    known = all(
        any(it.name == pool for it in room.pools) for room in every if room.id in takers
    )
    return (DiskNeed(size, pool, thin=False),) if size and pool and known else ()


def _pools_of(guests: Sequence[Guest]) -> dict[object, str]:
    """The pool in which the first known disk of each lies."""
    paths = {
        disk["path"]: guest
        for guest in guests
        for disk in guest.disks
        if disk.get("device") == "disk" and disk.get("path")
    }
    rows = Volume.objects.filter(path__in=list(paths)).values_list(
        "path", "pool__host", "pool__name"
    )
    return {
        paths[path].pk: name for path, host, name in rows if paths[path].host_id == host
    }


def _rules() -> list[TagRule]:
    return [
        TagRule(row.tag, row.kind, must=row.must, host_tag=row.host_tag)
        for row in PlacementRule.objects.order_by("tag", "kind", "host_tag")
    ]
