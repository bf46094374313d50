"""Reading flavors."""

from collections.abc import Iterable

from django.db.models import Q, QuerySet

from kvmweb.accounts.models import Project, User
from portal.flavors import access
from portal.flavors.models import Flavor
from portal.projects import scopes

ORDERINGS = {
    word: word
    for word in (
        *("position", "name", "vcpus", "memory_bytes", "disk_bytes"),
        *("price_per_hour", "created_at"),
    )
}
SEARCHED = ("name", "note")


def listing(user: User, search: str = "") -> QuerySet[Flavor]:
    """The flavors this person may see, in their order. Two queries, with the scopes."""
    rows = access.visible(user)
    for word in search.split()[:8]:
        rows = rows.filter(Q(name__icontains=word) | Q(note__icontains=word))
    return rows


def for_project(project: Project) -> QuerySet[Flavor]:
    """The flavors that can be asked for in this project, in their order. Two queries."""
    allowed = scopes.of(project.pk).flavors
    rows = Flavor.objects.filter(active=True)
    return rows.filter(pk__in=allowed) if allowed else rows


def named(ids: Iterable[int]) -> dict[int, Flavor]:
    """These flavors by their ids; those that are gone are left out. One query."""
    return Flavor.objects.in_bulk(list(ids))
