"""Lists of requests, and what approvers are told beside each. Fixed queries."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import cast
from uuid import UUID

from django.db.models import Case, Count, IntegerField, Q, QuerySet, Value, When

from kvmweb.accounts.gate import Right, may_everywhere
from kvmweb.accounts.models import User
from kvmweb.operations.models import Operation
from kvmweb.operations.queries import visible_guests
from portal.flavors.models import Flavor
from portal.ledger import queries as ledger
from portal.ledger.amounts import WORDS
from portal.ledger.queries import Usage
from portal.projects.queries import Meter
from portal.requests import access
from portal.requests.models import ApprovalRule, Event, Request
from portal.requests.states import Kind, State

ORDERINGS = {
    **{word: word for word in ("id", "created_at", "decided_at", "name", "state")},
    "project": "project__name",
    "requester": "author",
}
SEARCHED = ("name", "author", "project__name", "reason")
_BESIDE = ("project", "requester", "flavor")


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list is narrowed to; empty: everything they may see."""

    state: str = ""
    project: int | None = None
    mine: bool = False
    search: str = ""


@dataclass(frozen=True, slots=True)
class Earlier:
    """What the same person asked for before."""

    ready: int = 0
    rejected: int = 0
    others: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """One request in a list, with what is told beside it."""

    request: Request
    usage: Usage = field(default_factory=Usage)
    earlier: Earlier = field(default_factory=Earlier)
    hosts: int | None = (
        None  # that could take it; None: not asked, or not theirs to know
    )
    own: bool = False

    @property
    def meters(self) -> list[Meter]:
        """What the quota of its project limits, one number after the other."""
        every = [Meter.of(name, self.usage) for name in WORDS]
        return [meter for meter in every if meter.most is not None]


def listing(user: User, filters: Filters) -> QuerySet[Request]:
    """The requests they may see that fit, pending ones first, then the newest."""
    rows = access.visible(user).select_related(*_BESIDE)
    if filters.state:
        rows = rows.filter(state=filters.state)
    if filters.project is not None:
        rows = rows.filter(project=filters.project)
    if filters.mine:
        rows = rows.filter(requester=user)
    for word in filters.search.split()[:8]:
        found = Q()
        for column in SEARCHED:
            found |= Q((f"{column}__icontains", word))
        rows = rows.filter(found)
    return rows.order_by(_pending_first(), "-created_at", "-pk")


def lines(requests: Sequence[Request], user: User, hosts: dict[int, int]) -> list[Line]:
    """These with what is told beside each; three queries, however many there are."""
    usage = ledger.usage({it.project_id for it in requests})
    before = _earlier({it.requester_id for it in requests if it.requester_id})
    return [
        Line(
            request=it,
            usage=usage[it.project_id],
            earlier=before.get(it.requester_id or 0, Earlier()),
            hosts=hosts.get(it.pk),
            own=it.requester_id == user.pk,
        )
        for it in requests
    ]


def earlier(request: Request) -> QuerySet[Request]:
    """What the same person asked for before, newest first."""
    rows = Request.objects.filter(requester=request.requester_id)
    rows = rows.filter(created_at__lte=request.created_at).exclude(pk=request.pk)
    return rows.select_related(*_BESIDE).order_by("-created_at", "-pk")


def events(request: Request) -> QuerySet[Event]:
    """What befell it, oldest first."""
    return Event.objects.filter(request=request)


def meters(project: int) -> list[Meter]:
    """The quota of this project, one number after the other. Two queries."""
    usage = ledger.usage([project])[project]
    return [Meter.of(name, usage) for name in WORDS]


def decides(user: User) -> bool:
    """Whether there is any project whose requests they decide about."""
    return may_everywhere(user, Right.DECIDE) or bool(access.deciding_in(user))


def rules() -> QuerySet[ApprovalRule]:
    """All rules, with their projects and flavors; two queries."""
    rows = ApprovalRule.objects.select_related("project")
    return rows.prefetch_related("flavors")


def flavor_words() -> list[tuple[str, str]]:
    """Every flavor, as a list offers it."""
    return [(str(it.pk), f"{it.name} ({it.size})") for it in Flavor.objects.all()]


def cause(request: Request) -> str:
    """What its operation said at its end, for those who see hosts."""
    if request.state != State.FAILED or request.operation is None:
        return ""
    rows = Operation.objects.filter(pk=request.operation)
    return rows.values_list("error_message", flat=True).first() or ""


@visible_guests
def being_made(user: User) -> Iterable[UUID]:
    """The machines that are being made for requests they see: their operations, too."""
    rows = access.visible(user).filter(kind=Kind.NEW, guest__isnull=False)
    rows = rows.filter(state__in=(State.PROVISIONING, State.FAILED))
    return cast(Iterable[UUID], rows.values_list("guest", flat=True))


def _pending_first() -> Case:
    pending = When(state=State.PENDING, then=Value(0))
    return Case(pending, default=Value(1), output_field=IntegerField())


def _earlier(people: Iterable[int]) -> dict[int, Earlier]:
    rows = Request.objects.filter(requester__in=people).order_by()
    counted = rows.values("requester").annotate(
        ready=Count("pk", filter=Q(state=State.READY)),
        rejected=Count("pk", filter=Q(state=State.REJECTED)),
        all=Count("pk"),
    )
    return {
        row["requester"]: Earlier(
            row["ready"],
            row["rejected"],
            row["all"] - row["ready"] - row["rejected"],
        )
        for row in counted
    }
