"""Keeps account of folders: whatever would go beyond a limit is refused, all together.

A folder's limit is a row; who wants more of the folder locks it, counts, and writes, in
one transaction: so the next one counts what this one wrote.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from guests import charging, sizing
from guests.charging import Coming, Size
from guests.folders import counting
from guests.folders.models import FolderLimit
from guests.folders.paths import folders_of, lies_in
from guests.folders.use import Use, exceeded
from guests.models import Guest
from kvmweb.accounts.gate import sees_all
from kvmweb.accounts.models import Project, User
from kvmweb.errors import Conflict


class Full(Conflict):
    """A folder has no room for it. `plain` says so without telling how much others use."""

    plain = ""

    @classmethod
    def of(cls, sentence: str, folders: Iterable[str]) -> "Full":
        """With both sentences."""
        error = cls(sentence, hint="Make room there, or have the limit raised.")
        error.plain = f"The limit of the folder {' and of '.join(folders)} is reached."
        return error

    def told(self, user: User) -> Conflict:
        """The same for this person: without counts, if they do not see every guest."""
        return self if sees_all(user) else Conflict(self.plain, hint=self.hint)


@dataclass(frozen=True, slots=True)
class Change:
    """One guest, as it lies in folders now and would then."""

    uuid: UUID
    tags: Collection[str]
    use: Use
    tags_then: Collection[str]
    use_then: Use

    def use_in(self, folder: str) -> Use:
        """What it takes up of the folder now."""
        return self.use if lies_in(self.tags, folder) else Use()

    def more_in(self, folder: str) -> Use:
        """What it would take up more of it."""
        then = self.use_then if lies_in(self.tags_then, folder) else Use()
        return then - self.use_in(folder)


def need_room(changes: Collection[Change]) -> None:
    """Nothing, if no folder goes beyond its limit. Raises Full.

    In a transaction: the limits stay locked until it ends, so nobody counts meanwhile.
    """
    paths = folders_of(tag for each in changes for tag in each.tags_then)
    limits = FolderLimit.objects.select_for_update().filter(path__in=paths)
    asked = (
        {
            limit: _sum(it.more_in(limit.path) for it in changes)
            for limit in limits.order_by("path")
        }
        if paths
        else {}
    )
    asked = {limit: more for limit, more in asked.items() if _is_more(more)}
    if not asked:
        return
    others = counting.used(
        [limit.path for limit in asked], but_for={each.uuid for each in changes}
    )
    refused = {}
    for limit, more in asked.items():
        used = others[limit.path] + _sum(it.use_in(limit.path) for it in changes)
        if sentence := exceeded(limit, used, more):
            refused[limit.path] = sentence
    if refused:
        raise Full.of(" ".join(refused.values()), refused)


def _sum(uses: Iterable[Use]) -> Use:
    return sum(uses, Use())


def _is_more(use: Use) -> bool:
    return any(number > 0 for number in use.told().values())


class Folders:
    """The account of folders, as guests.charging asks it."""

    def coming(self, _project: Project | None, guest: Coming) -> None:
        """It will lie in the folders of its tags."""
        use = Use.of(guest.size)
        need_room([Change(guest.uuid, (), Use(), guest.tags, use)])

    def growing(self, guest: Guest, more: Size) -> None:
        """It lies where it lies, and takes up more."""
        if not guest.tags:
            return
        now = Use.of(sizing.settled(guest))
        then = now + Use.of(more, guests=0)
        need_room([Change(guest.pk, guest.tags, now, guest.tags, then)])

    def tagged(self, guest: Guest, tags: Collection[str]) -> None:
        """It will lie elsewhere."""
        if tags:
            need_room(retagged({guest: tags}))

    def given(self, guest: Guest, project: Project | None) -> None:
        """Folders do not care whose it is."""

    def keeping(self, guest: Guest, snapshots: int) -> None:
        """Snapshots are not limited here."""


def retagged(then: Mapping[Guest, Collection[str]]) -> list[Change]:
    """These guests with these tags."""
    sizes = sizing.of_all(then.keys())
    return [
        Change(guest.pk, guest.tags, use, tags, use)
        for guest, tags in then.items()
        for use in [Use.of(sizes[guest.pk])]
    ]


charging.ledger(Folders())
