"""What pages and the API read of leases, in a fixed number of queries."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Max, Q, QuerySet
from django.utils import timezone

from guests.models import Guest
from kvmweb import samples
from kvmweb.accounts.models import AuditEntry, Project, User
from kvmweb.rollups import records
from kvmweb.rollups.models import Rollup
from portal.leases import access
from portal.leases.allowance import Allowance, allowance
from portal.leases.models import Lease, Looking, Policy
from portal.leases.steps import State

PAGE = 50
LOOKED_BACK = timedelta(days=7)
IDLE_PERCENT = 2.0  # of all its vCPUs, on average: what a system does by itself
_LEAST_HOURS = 24  # known of it, before anything is said
_CONSOLE = "guest.console"


@dataclass(frozen=True, slots=True)
class Evidence:
    """How much a guest was used lately; None where nobody knows."""

    cpu_percent: float | None  # on average over the hours that are known
    busiest_percent: float | None  # the hour in which it did most
    hours: int  # so many are known
    console_at: datetime | None  # when somebody last opened its screen

    @property
    def unused(self) -> bool:
        """Whether it looks as if nobody needs it. A hint, no proof."""
        if self.cpu_percent is None or self.hours < _LEAST_HOURS:
            return False
        recently = timezone.now() - LOOKED_BACK
        seen = self.console_at is not None and self.console_at > recently
        return self.cpu_percent < IDLE_PERCENT and not seen


@dataclass(slots=True)
class Lent:
    """A lease with its guest and what is known of its use."""

    lease: Lease
    guest: Guest | None
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Filters:
    """What somebody wants to see, as it stands in the URL; "" for any."""

    search: str = ""
    project: str = ""
    state: str = ""  # one of State, or "soon": it ends within a week
    owner: str = ""
    ended: str = ""  # "yes": those whose guests were deleted, too

    @classmethod
    def of(cls, values: Mapping[str, str]) -> "Filters":
        """From a query string."""
        return cls(
            **{name: values.get(name, "").strip()[:200] for name in cls.__slots__}
        )


ORDERINGS = {
    "ends_at": "ends_at",
    "name": "guest_name",
    "project": "project__name",
    "state": "state",
}


def listing(user: User, filters: Filters) -> QuerySet[Lease]:
    """The leases this person sees that fit, those that end first at the top."""
    rows = access.visible(user)
    if filters.ended != "yes" and filters.state != State.ENDED:
        rows = rows.exclude(state=State.ENDED)
    if filters.state == "soon":
        rows = rows.filter(
            state=State.RUNNING, ends_at__lt=timezone.now() + LOOKED_BACK
        )
    elif filters.state:
        rows = rows.filter(state=filters.state)
    if filters.project:
        rows = rows.filter(project__name=filters.project)
    if filters.owner:
        owned = Guest.objects.filter(owner__username=filters.owner)
        rows = rows.filter(guest__in=owned.values("pk"))
    for word in filters.search.split()[:8]:
        rows = rows.filter(
            Q(guest_name__icontains=word) | Q(project__name__icontains=word)
        )
    return rows


def names_of_projects(user: User) -> list[str]:
    """Names to filter by: of the projects whose leases this person sees. One query."""
    rows = access.visible(user).exclude(project=None).order_by("project__name")
    return list(rows.values_list("project__name", flat=True).distinct())


def lent(leases: Iterable[Lease]) -> list[Lent]:
    """These leases with their guests and evidence. Three queries for any number."""
    rows = list(leases)
    uuids = [each.guest for each in rows]
    guests = (
        Guest.objects.select_related("owner", "project")
        .only("name", "state", "protected", "owner__username", "project__name")
        .in_bulk(uuids)
    )
    known = evidence(uuids)
    return [Lent(each, guests.get(each.guest), known[each.guest]) for each in rows]


def of_guests(uuids: Collection[UUID]) -> dict[UUID, Lease]:
    """The leases of these guests that have not ended. One query."""
    rows = Lease.objects.filter(guest__in=uuids).exclude(state=State.ENDED)
    return {each.guest: each for each in rows}


def evidence(uuids: Collection[UUID]) -> dict[UUID, Evidence]:
    """How much these guests were used lately. Two queries for any number."""
    hours = _hours(uuids)
    topics = {f"guest:{uuid}": uuid for uuid in uuids}
    opened = AuditEntry.objects.filter(action=_CONSOLE, target__in=topics)
    last = dict(
        opened.order_by()
        .values("target")
        .annotate(at=Max("at"))
        .values_list("target", "at")
    )
    return {
        uuid: _said(hours.get(uuid, []), last.get(f"guest:{uuid}")) for uuid in uuids
    }


def policy(project_id: int | None) -> Policy:
    """The rule of a project; the usual one where nobody said another."""
    found = Policy.objects.filter(project=project_id).first() if project_id else None
    return found or Policy()


def policies(project_ids: Collection[int]) -> dict[int, Policy]:
    """The rules of these projects, by id. One query."""
    found = Policy.objects.in_bulk(project_ids)
    return {each: found.get(each) or Policy() for each in project_ids}


def projects() -> list[tuple[Project, Policy]]:
    """Every project with its rule. Two queries."""
    rows = list(Project.objects.order_by("name"))
    found = policies([each.pk for each in rows])
    return [(each, found[each.pk]) for each in rows]


def allowance_of(lease: Lease, rule: Policy | None = None) -> Allowance:
    """What the rule of its project still gives it."""
    rule = rule or policy(lease.project_id)
    return allowance(rule.extend_days, rule.extend_most_days, lease.extended_days)


def held() -> bool:
    """Whether leases wait for an administrator."""
    return Looking.objects.filter(held=True).exists()


def _hours(uuids: Collection[UUID]) -> dict[UUID, list[float]]:
    """The average CPU of each known hour."""
    keys = {records.key_of_guest(uuid): uuid for uuid in uuids}
    since = int((timezone.now() - LOOKED_BACK).timestamp()) // samples.HOUR_S
    rows = Rollup.objects.filter(subject__in=list(keys), hour__gte=since)
    found: dict[UUID, list[float]] = {}
    for subject, packed in rows.values_list("subject", "average"):
        for record in records.unpacked(bytes(packed)):
            percent = records.guest_sample(record).cpu_percent
            if percent is not None:
                found.setdefault(keys[bytes(subject)], []).append(percent)
    return found


def _said(hours: list[float], console_at: datetime | None) -> Evidence:
    if not hours:
        return Evidence(None, None, 0, console_at)
    average = sum(hours) / len(hours)
    return Evidence(average, max(hours), len(hours), console_at)
