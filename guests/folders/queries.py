"""What the list of guests shows beside its rows: folders, limits."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Count

from guests.access import visible
from guests.folders import counting, tree
from guests.folders.models import FolderLimit
from guests.folders.paths import lineage
from guests.folders.tree import Tree
from guests.folders.use import Bar, Use, bars
from guests.queries import in_conflict
from kvmweb.accounts.gate import sees_all
from kvmweb.accounts.models import User
from kvmweb.virt.types import DomainState


@dataclass(frozen=True, slots=True)
class Limited:
    """A folder's limit, and how much of it is used or promised."""

    limit: FolderLimit
    used: Use

    @property
    def bars(self) -> list[Bar]:
        """Each thing it limits."""
        return list(bars(self.limit, self.used))


def folders(user: User) -> Tree:
    """The folders of the guests this person sees, counted. One query."""
    rows = visible(user).exclude(state=DomainState.GONE).order_by()
    counted = rows.annotate(torn=in_conflict()).values_list(
        "tag_words", "state", "torn"
    )
    return tree.grown(counted.annotate(Count("pk")))


def limits_over(folder: str, user: User) -> list[Limited]:
    """The limits that hold for a folder: its own and those of what it lies in.

    None for who does not see every guest: they tell what others use. At most six queries.
    """
    if not folder or not sees_all(user):
        return []
    return _limited(FolderLimit.objects.filter(path__in=list(lineage(folder))))


def limits() -> list[Limited]:
    """All limits. At most six queries."""
    return _limited(FolderLimit.objects.all())


def limited(limit: FolderLimit) -> Limited:
    """One limit. At most five queries."""
    return _limited([limit])[0]


def _limited(rows: Iterable[FolderLimit]) -> list[Limited]:
    found = list(rows)
    used = counting.used([it.path for it in found]) if found else {}
    return [Limited(it, used[it.path]) for it in found]
