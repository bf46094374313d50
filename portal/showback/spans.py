"""Spans follow the ledger: one is open for each guest that a project is charged for.

Called in the transaction that changes a charge, so that a span begins and ends when the
charge does; and now and then for all, because prices and flavors change without it.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from portal.ledger import services as ledger
from portal.ledger.announce import when_charged
from portal.ledger.models import Charge
from portal.requests.models import Request
from portal.requests.states import Kind, State
from portal.showback import queries
from portal.showback.models import Tariff, UseSpan
from portal.showback.reckoning import GIB

_GUEST = "guest:"
_DONE = (State.APPROVED, State.PROVISIONING, State.READY)


@dataclass(frozen=True, slots=True)
class Rate:
    """The flavor that a charge is of, if any, and what an hour costs."""

    flavor: str
    price: Decimal | None


@when_charged
def charged(subject: str) -> None:
    """A charge has changed just now: so does the span of its guest."""
    if subject.startswith(_GUEST):
        _bring_up([UUID(subject.removeprefix(_GUEST))], timezone.now())


def follow(now: datetime) -> int:
    """Bring up every guest whose span says something else than its charge; how many."""
    charges, spans = _charges(), _open()
    rates = _rates(charges.values())
    guests = sorted(charges.keys() | spans.keys())
    wrong: defaultdict[int | None, list[UUID]] = defaultdict(list)
    for guest in guests:
        charge, span = charges.get(guest), spans.get(guest)
        if not _same(charge, span, rates):
            known = charge or span
            wrong[known.project_id if known else None].append(guest)
    for together in wrong.values():  # one project's lock at a time
        _bring_up(together, now)
    return sum(map(len, wrong.values()))


def _bring_up(guests: Collection[UUID], now: datetime) -> None:
    """End what is not so any more, begin what is so now."""
    with transaction.atomic():
        _lock(guests)
        charges, spans = _charges(guests), _open(guests)
        rates, over = _rates(charges.values()), _last_ends(guests)
        wrong = [
            guest
            for guest in guests
            if not _same(charges.get(guest), spans.get(guest), rates)
        ]
        ended = [spans[guest].pk for guest in wrong if guest in spans]
        UseSpan.objects.filter(pk__in=ended).update(ended_at=now)
        begun = []
        for guest in wrong:
            if charge := charges.get(guest):
                first = max(charge.at, over.get(guest, charge.at))
                began_at = now if guest in spans else first
                begun.append(_span(charge, guest, rates[charge.pk], began_at))
        UseSpan.objects.bulk_create(begun, ignore_conflicts=True)


def _lock(guests: Collection[UUID]) -> None:
    """Whoever charges for these waits until we are done, and the other way round."""
    projects = {charge.project for charge in _charges(guests).values()}
    for project in sorted(projects, key=lambda each: each.pk):
        ledger.locked(project)


def _charges(guests: Collection[UUID] | None = None) -> dict[UUID, Charge]:
    rows = Charge.objects.filter(state=Charge.State.USED).select_related("project")
    if guests is None:
        rows = rows.filter(subject__startswith=_GUEST)
    else:
        rows = rows.filter(subject__in=[f"{_GUEST}{guest}" for guest in guests])
    return {UUID(row.subject.removeprefix(_GUEST)): row for row in rows}


def _open(guests: Collection[UUID] | None = None) -> dict[UUID, UseSpan]:
    rows = UseSpan.objects.filter(ended_at=None)
    if guests is not None:
        rows = rows.filter(guest__in=guests)
    return {row.guest: row for row in rows}


def _rates(charges: Iterable[Charge]) -> dict[int, Rate]:
    """What each costs by now. Two queries."""
    rows = list(charges)
    tariff = queries.tariff()
    asked = _asked([UUID(row.subject.removeprefix(_GUEST)) for row in rows])
    return {row.pk: _rate(row, asked.get(row.subject), tariff) for row in rows}


def _asked(guests: Collection[UUID]) -> dict[str, Request]:
    """The last request that made each of these what it is, with its flavor."""
    rows = (
        Request.objects.filter(guest__in=guests, state__in=_DONE)
        .exclude(flavor=None)
        .exclude(kind=Kind.RESIZE, state__in=(State.APPROVED, State.PROVISIONING))
        .select_related("flavor")
        .order_by("decided_at", "pk")
    )
    return {f"{_GUEST}{row.guest}": row for row in rows}


def _rate(charge: Charge, asked: Request | None, tariff: Tariff) -> Rate:
    """Its flavor's price while it is as large as that; else by what it takes up."""
    flavor = asked.flavor if asked else None
    if flavor is not None and (
        (charge.vcpus, charge.memory_bytes) == (flavor.vcpus, flavor.memory_bytes)
        and charge.disk_bytes <= flavor.disk_bytes
    ):
        price = flavor.price_per_hour
        return Rate(flavor.name, _by_size(charge, tariff) if price is None else price)
    return Rate("", _by_size(charge, tariff))


def _by_size(charge: Charge, tariff: Tariff) -> Decimal | None:
    parts = (
        (tariff.vcpu, Decimal(charge.vcpus)),
        (tariff.memory_gib, Decimal(charge.memory_bytes) / GIB),
        (tariff.disk_gib, Decimal(charge.disk_bytes) / GIB),
    )
    known = [price * much for price, much in parts if price is not None]
    if not known:
        return None
    return sum(known, Decimal()).quantize(Decimal("0.000001"))


def _same(charge: Charge | None, span: UseSpan | None, rates: dict[int, Rate]) -> bool:
    if charge is None or span is None:
        return charge is None and span is None
    rate = rates[charge.pk]
    return (
        span.project_id == charge.project_id
        and span.vcpus == charge.vcpus
        and span.memory_bytes == charge.memory_bytes
        and span.disk_bytes == charge.disk_bytes
        and span.flavor == rate.flavor
        and span.price_per_hour == rate.price
    )


def _last_ends(guests: Collection[UUID]) -> dict[UUID, datetime]:
    """When these were charged for last, for those that once were and are not now."""
    rows = UseSpan.objects.filter(guest__in=guests, ended_at__isnull=False)
    ends = rows.order_by().values("guest").annotate(last=Max("ended_at"))
    return {row["guest"]: row["last"] for row in ends}


def _span(charge: Charge, guest: UUID, rate: Rate, began_at: datetime) -> UseSpan:
    return UseSpan(
        project_id=charge.project_id,
        guest=guest,
        name=charge.label,
        flavor=rate.flavor,
        vcpus=charge.vcpus,
        memory_bytes=charge.memory_bytes,
        disk_bytes=charge.disk_bytes,
        price_per_hour=rate.price,
        began_at=began_at,
    )
