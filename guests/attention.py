"""What the first page tells: counts, and what needs somebody now."""

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Count, F, FloatField, QuerySet
from django.db.models.functions import Cast
from django.utils import timezone

from guests.access import visible
from guests.models import Guest
from guests.queries import in_conflict
from hosts import queries as host_queries
from hosts.models import Host, Pool
from kvmweb import samples
from kvmweb.accounts.gate import sees_all
from kvmweb.accounts.models import User
from kvmweb.operations import queries as operations
from kvmweb.operations.models import Operation
from kvmweb.operations.registry import label_of
from kvmweb.virt.types import DomainState

_A_KIND = 10  # of one kind that are told
_FULL = 0.9  # of a pool
_RECENT = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Attention:
    """One thing that needs somebody."""

    kind: str  # crashed, conflict, host, pool, operation, paused
    text: str
    url: str
    severe: bool  # now, not only soon


def counts(user: User) -> dict[str, int]:
    """Guests by state, without gone ones; "total" is all of them. One query."""
    rows = visible(user).exclude(state=DomainState.GONE).order_by()
    found = Counter(dict(rows.values_list("state").annotate(Count("pk"))))
    told = {state.value.replace("-", "_"): found[state.value] for state in DomainState}
    return told | {"total": sum(found.values())}


def hosts(user: User) -> list[Host]:
    """The hosts this person may see, counted, each with its latest `sample`."""
    rows = list(host_queries.listing(user))
    numbers = samples.latest_of_hosts([row.pk for row in rows]) if rows else {}
    for row in rows:
        row.sample = numbers.get(row.pk)
    return rows


def found(user: User) -> list[Attention]:
    """What needs this person or somebody else, the worst first. Five queries."""
    told = [*_guests(user), *_operations(user)]
    if sees_all(user):
        told += [*_hosts(), *_pools()]
    return sorted(told, key=lambda it: not it.severe)


def _guests(user: User) -> list[Attention]:
    rows = visible(user).only("name", "state", "state_reason")
    crashed = rows.filter(state=DomainState.CRASHED)
    stuck = rows.filter(state=DomainState.PAUSED, state_reason__contains="error")
    torn = rows.filter(in_conflict()).exclude(state=DomainState.GONE)
    return [
        *(
            Attention(
                "conflict", f"{it} is on two hosts at once.", _url(it), severe=True
            )
            for it in torn[:_A_KIND]
        ),
        *(
            Attention("crashed", f"{it} has crashed.", _url(it), severe=True)
            for it in crashed[:_A_KIND]
        ),
        *(
            Attention(
                "paused", f"{it} was paused: its disk failed.", _url(it), severe=True
            )
            for it in stuck[:_A_KIND]
        ),
    ]


def _operations(user: User) -> list[Attention]:
    since = timezone.now() - _RECENT
    rows = operations.visible(user).filter(
        state=Operation.State.FAILED, finished_at__gte=since
    )
    return [
        Attention(
            "operation",
            f"{it.subject}: “{label_of(it.kind)}” failed. {it.error_message}",
            it.get_absolute_url(),
            severe=False,
        )
        for it in operations.for_page(user, rows.order_by("-finished_at")[:_A_KIND])
    ]


def _hosts() -> list[Attention]:
    rows = Host.objects.filter(state=Host.State.DOWN)
    return [
        Attention(
            "host",
            f"{it.name} does not answer. {it.error}".strip(),
            it.get_absolute_url(),
            severe=True,
        )
        for it in rows[:_A_KIND]
    ]


def _pools() -> list[Attention]:
    rows: QuerySet[Pool] = Pool.objects.filter(active=True, capacity_bytes__gt=0)
    full = rows.annotate(
        used=Cast(F("capacity_bytes") - F("available_bytes"), FloatField())
        / Cast(F("capacity_bytes"), FloatField())
    ).filter(used__gte=_FULL)
    return [
        Attention(
            "pool",
            f"The pool {it.name} of {it.host.name} is {it.used:.0%} full.",
            it.host.get_absolute_url(),
            severe=it.used > 0.98,
        )
        for it in full.select_related("host").order_by("-used")[:_A_KIND]
    ]


def _url(guest: Guest) -> str:
    return guest.get_absolute_url()
