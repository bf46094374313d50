"""Reading projects: each list costs a fixed number of queries."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Prefetch, Q, QuerySet

from guests.images.models import Image
from guests.models import Guest
from kvmweb.accounts.gate import roles_of
from kvmweb.accounts.models import Member, Project, User
from portal.flavors import queries as flavors
from portal.ledger import queries as ledger
from portal.ledger.amounts import WORDS
from portal.ledger.models import Charge
from portal.ledger.queries import Usage
from portal.projects import access, scopes
from portal.projects.scope import ANYTHING, Scope

ORDERINGS = {"name": "name", "created_at": "created_at"}
SEARCHED = ("name", "note")
MOST = 200  # charges on a project's page


@dataclass(frozen=True, slots=True)
class Known:
    """A project with all that is said of it."""

    project: Project
    usage: Usage
    scope: Scope
    role: str | None  # of who asks

    @property
    def members(self) -> list[Member]:
        """Who is in it, by name."""
        return list(self.project.members.all())

    @property
    def meters(self) -> list["Meter"]:
        """Its quota, one after the other."""
        return [Meter.of(name, self.usage) for name in WORDS]


@dataclass(frozen=True, slots=True)
class Meter:
    """One number of a quota; `most` is None where there is no limit."""

    name: str  # guests, vcpus, memory_bytes, disk_bytes
    words: str
    used: int
    reserved: int
    most: int | None
    left: int | None

    @classmethod
    def of(cls, name: str, usage: Usage) -> "Meter":
        """This number of a project's usage."""
        return cls(
            name=name,
            words=WORDS[name],
            used=getattr(usage.used, name),
            reserved=getattr(usage.reserved, name),
            most=getattr(usage.limits, name),
            left=usage.left()[name],
        )


@dataclass(frozen=True, slots=True)
class Taking:
    """One thing that takes up some of the quota."""

    charge: Charge
    guest: Guest | None  # where it is one that is there
    request: int | None  # where it was asked for


def mine(user: User) -> QuerySet[Project]:
    """The projects this person is in, by name, also for those who see all of them."""
    return Project.objects.filter(pk__in=roles_of(user))


def listing(user: User, search: str = "") -> QuerySet[Project]:
    """The projects this person may see, with who is in them. Two queries."""
    rows = access.visible(user)
    for word in search.split()[:8]:
        found = Q(name__icontains=word) | Q(note__icontains=word)
        rows = rows.filter(found | Q(pk__in=_of_member(word)))
    return peopled(rows)


def _of_member(word: str) -> QuerySet[Member, int]:
    rows = Member.objects.filter(user__username__icontains=word)
    return rows.values_list("project", flat=True)


def peopled(rows: QuerySet[Project]) -> QuerySet[Project]:
    """The same with `members` and their users; one more query."""
    members = Member.objects.select_related("user").order_by("user__username")
    return rows.prefetch_related(Prefetch("members", queryset=members))


def one(project: Project) -> Project:
    """The same project, read again with who is in it."""
    return peopled(Project.objects.filter(pk=project.pk)).get()


def known(projects: Iterable[Project], user: User) -> list[Known]:
    """These (of `peopled`) with quota, usage and scope. Three queries for any number."""
    rows = list(projects)
    ids = [each.pk for each in rows]
    usages, every = ledger.usage(ids), scopes.every(ids)
    roles = roles_of(user)
    return [
        Known(each, usages[each.pk], every.get(each.pk, ANYTHING), roles.get(each.pk))
        for each in rows
    ]


def takings(project: Project) -> list[Taking]:
    """What takes up its quota, by name, with the guests that are there. Two queries."""
    charges = Charge.objects.filter(project=project).order_by("label", "pk")[:MOST]
    guests = Guest.objects.filter(project=project).select_related("owner")
    there = {f"guest:{each.pk}": each for each in guests}
    return [
        Taking(each, there.get(each.subject), _request(each.subject))
        for each in charges
    ]


def _request(subject: str) -> int | None:
    kind, _, ident = subject.partition(":")
    return int(ident) if kind == "request" and ident.isdecimal() else None


def guests_without() -> Sequence[tuple[UUID, str]]:
    """Guests that are in no project, by name, to be given to one."""
    rows = Guest.objects.filter(project=None).exclude(state="gone").order_by("name")
    return list(rows.values_list("pk", "name")[:500])


def allowed_names(scope: Scope) -> dict[str, list[Any]]:
    """What it may use, as names, where it may not use all. Two queries."""
    images = Image.objects.filter(pk__in=scope.images)
    return {
        "networks": sorted(scope.networks),
        "images": [str(each) for each in images],
        "flavors": [each.name for each in flavors.named(scope.flavors).values()],
        "host_tags": sorted(scope.host_tags),
    }
