"""Who uses volumes, as far as rows tell. What uses volumes plugs in here.

    @users
    def guests(asked: Asked) -> dict[str, list[User]]: ...

The hosts themselves know more (snapshots, saved states) and are asked before anything
is destroyed: see hosts.storage.guarding.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from hosts.models import Pool, Volume
from hosts.storage.sharing import Sharing
from kvmweb.errors import Conflict

_NAMED = 5


@dataclass(frozen=True, slots=True)
class User:
    """Something that uses a volume."""

    name: str
    guest: str = ""  # its UUID, if it is a guest
    page: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which volumes are asked about, and where they may be used."""

    called: Mapping[str, Collection[str]]  # by path: the path, and "pool/name"
    hosts: frozenset[int]  # that see this storage
    different: frozenset[int]  # that have something else under these paths
    alone: bool  # no other hosts count at all


Teller = Callable[[Asked], dict[str, list[User]]]
_tellers: list[Teller] = []


def users(teller: Teller) -> Teller:
    """Register who can tell users of volumes, by path."""
    _tellers.append(teller)
    return teller


def of_paths(
    sharing: Sharing, paths: Collection[str], *, together: bool = False
) -> dict[str, list[User]]:
    """Who uses each of these paths of the sharing's hosts, each user once.

    `together`: they go at once, so that one stands on another keeps neither.
    """
    found: dict[str, list[User]] = {path: [] for path in paths}
    if not found:
        return found
    asked = Asked(
        _called(sharing, paths),
        frozenset(sharing.ids),
        frozenset(sharing.different),
        sharing.alone,
    )
    for teller in _tellers:
        for path, told in teller(asked).items():
            found[path] += told
    above = Volume.objects.filter(pool__host__in=sharing.ids, backing_path__in=paths)
    if together:
        above = above.exclude(path__in=paths)
    for name, path in above.values_list("name", "backing_path"):
        found[path].append(User(f"the volume {name}"))
    return {path: list(dict.fromkeys(told)) for path, told in found.items()}


def of_volumes(pool: Pool, volumes: Iterable[Volume]) -> dict[int, list[User]]:
    """Who uses each of these volumes of one pool, by volume's id."""
    paths = {volume.path: volume.pk for volume in volumes if volume.path}
    found = of_paths(Sharing.of_pool(pool), paths)
    return {paths[path]: told for path, told in found.items()}


def need_none(told: Mapping[str, Collection[User]], doing: str) -> None:
    """Nothing. Raises Conflict naming who uses any of the paths."""
    for path, found in told.items():
        if found:
            raise Conflict(
                f"Could not {doing}: {path} is used by {named(found)}.",
                hint="Take it from them first.",
            )


def named(found: Collection[User]) -> str:
    """The users as words: a few names, and whether there are more."""
    names = [each.name for each in found]
    more = " and others" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _called(sharing: Sharing, paths: Collection[str]) -> dict[str, set[str]]:
    """What guests may call the volume at a path: the path, or pool and name."""
    names = {path: {path} for path in paths}
    rows = Volume.objects.filter(path__in=paths, pool__host__in=sharing.ids)
    for path, pool, name in rows.values_list("path", "pool__name", "name"):
        names[path].add(f"{pool}/{name}")
    return names
