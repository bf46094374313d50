"""Which operations somebody sees, and lists of them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from kvmweb.accounts import gate
from kvmweb.accounts.models import User
from kvmweb.operations import discreet
from kvmweb.operations.json import operation_json
from kvmweb.operations.models import LogLine, Operation

GuestsOf = Callable[
    [User], Iterable[UUID]
]  # or a query of UUIDs: it becomes a subquery
_guests_of: list[GuestsOf] = []


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list is narrowed to; empty: everything they may see."""

    state: str = ""  # one of State, or "active"
    kind: str = ""
    guest: UUID | None = None
    host: int | None = None
    parent: UUID | None = None
    search: str = ""  # in the names of guest, host, author and kind


def visible_guests(guests_of: GuestsOf) -> GuestsOf:
    """Plug: the guests whose operations a user may see beside their own ones."""
    _guests_of.append(guests_of)
    return guests_of


def guests_of(user: User) -> list[Iterable[UUID]]:
    """The UUIDs of guests whose operations this user may see, one entry for each plug."""
    return [each(user) for each in _guests_of]


def visible(user: User) -> QuerySet[Operation]:
    """The operations this user may see: all, or their own and those on their guests."""
    if gate.sees_all(user):
        return Operation.objects.all()
    mine = Q(requested_by=user) if user.within is None else Q(pk__in=[])
    for guests in guests_of(user):
        mine |= Q(guest__in=guests)
    return Operation.objects.filter(mine)


def listing(user: User, filters: Filters) -> QuerySet[Operation]:
    """Those of `visible` that fit, newest first."""
    rows = visible(user)
    if filters.state == "active":
        rows = rows.filter(state__in=Operation.ACTIVE)
    elif filters.state:
        rows = rows.filter(state=filters.state)
    if filters.kind:
        rows = rows.filter(kind=filters.kind)
    hosts = gate.sees_all(user)
    if filters.host is not None:
        rows = rows.filter(host=filters.host) if hosts else rows.none()
    for column in ("guest", "parent"):
        if (value := getattr(filters, column)) is not None:
            rows = rows.filter(**{column: value})
    for word in filters.search.split()[:8]:
        rows = rows.filter(_says(word, hosts=hosts))
    return rows


def for_page(user: User, rows: Iterable[Operation]) -> list[Operation]:
    """These rows as a page may show them to this person; they are not to be saved."""
    found = list(rows)
    return found if gate.sees_all(user) else [discreet.hidden(row) for row in found]


def drawer(user: User) -> list[Operation]:
    """What the drawer of every page shows: those that go on, then the last that ended."""
    active = list(listing(user, Filters(state="active"))[:20])
    ended = visible(user).exclude(state__in=Operation.ACTIVE).order_by("-finished_at")
    return for_page(user, [*active, *ended[: max(0, 10 - len(active))]])


def log(operation: Operation) -> QuerySet[LogLine]:
    """What it did, oldest first."""
    return LogLine.objects.filter(operation=operation)


def log_for(operation: Operation, user: User) -> list[LogLine]:
    """The same, as far as this person may know."""
    rows = list(log(operation))
    return rows if gate.sees_all(user) else discreet.lines(operation, rows)


def children(operation: Operation) -> QuerySet[Operation]:
    """Its parts, in the order they were asked for."""
    return Operation.objects.filter(parent=operation).order_by("created_at", "pk")


def as_json(operations: Sequence[Operation]) -> list[dict[str, Any]]:
    """All of these as JSON, with their children, in one query."""
    pks = [operation.pk for operation in operations]
    rows = Operation.objects.filter(parent__in=pks).order_by("created_at", "pk")
    children: dict[Any, list[str]] = {}
    for pk, parent in rows.values_list("pk", "parent"):
        children.setdefault(parent, []).append(str(pk))
    return [operation_json(each, children.get(each.pk, [])) for each in operations]


def _says(word: str, *, hosts: bool) -> Q:
    """Operations that a word is about. Those who see no hosts find none by their hosts."""
    about = (
        Q(guest_name__icontains=word)
        | Q(author__icontains=word)
        | Q(kind__icontains=word)
    )
    return about | Q(host_name__icontains=word) if hosts else about
