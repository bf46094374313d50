"""What deleting a guest with its volumes would delete, and what it would leave and why.

libvirt protects nothing that is in use, so all we know is asked: disks of every guest on
every host that may see the same storage, and volumes that stand on others. The host is
asked once more when the deletion runs.
"""

from dataclasses import dataclass, replace
from typing import Any

from guests.models import Guest
from guests.queries import Place, Volumes
from hosts.models import Host
from hosts.storage.sharing import Sharing
from hosts.storage.users import User
from hosts.storage.users import of_paths as users_of


@dataclass(frozen=True, slots=True)
class Fate:
    """One disk of a guest that is to be deleted."""

    target: str
    path: str
    pool: str
    volume: str
    capacity_bytes: int | None
    deleted: bool
    why: str  # it is kept, as a sentence; "" when it is deleted


def plan(guest: Guest) -> list[Fate]:
    """What happens to each disk when its volumes are deleted, too.

    Raises Conflict when a host that might use the same storage does not answer.
    """
    places = Volumes([guest])
    found = [(disk, places.find(guest.host_id, disk)) for disk in guest.disks]
    fates = [_own(disk, place) for disk, place in found]
    deleted = [fate.path for fate in fates if fate.deleted]
    if not deleted or guest.host is None:
        return fates
    sharing = Sharing(guest.host, deleted)
    sharing.need_answers()
    users = _others(guest, users_of(sharing, deleted))
    return [_kept(fate, users[fate.path]) if fate.deleted else fate for fate in fates]


def discreet(fate: Fate) -> Fate:
    """The same for who sees no hosts and no guests of others."""
    why = fate.why and "It may serve other guests."
    volume = fate.volume or fate.path.rpartition("/")[2]
    return replace(fate, path="", pool="", volume=volume, why=why)


def hosts_sharing(guest: Guest, paths: list[str]) -> list[Host]:
    """The hosts to ask whether they use these volumes: its own, and any that may see them.

    Raises Conflict when one of them does not answer.
    """
    if guest.host is None:
        return []
    sharing = Sharing(guest.host, paths)
    sharing.need_answers()
    return sharing.hosts()


def _own(disk: dict[str, Any], place: Place | None) -> Fate:
    why = _spared(disk, place)
    capacity = place.capacity_bytes if place else disk["capacity_bytes"]
    return Fate(
        target=disk["target"],
        path=place.path if place else disk["path"],
        pool=place.pool if place else disk["pool"],
        volume=place.volume if place else disk["volume"],
        capacity_bytes=capacity,
        deleted=not why,
        why=why,
    )


def _spared(disk: dict[str, Any], place: Place | None) -> str:
    if disk["device"] != "disk":
        return f"It is a {disk['device']}, which may serve other guests."
    if disk["readonly"]:
        return "It is read-only, so it may serve other guests."
    if disk["shareable"]:
        return "It is marked as shared with other guests."
    if place is None:
        return "No storage pool of this host holds it."
    return ""


def _kept(fate: Fate, users: list[str]) -> Fate:
    if not users:
        return fate
    names = ", ".join(users[:5]) + (" and others" if len(users) > 5 else "")
    return Fate(
        fate.target,
        fate.path,
        fate.pool,
        fate.volume,
        fate.capacity_bytes,
        deleted=False,
        why=f"It is also used by {names}.",
    )


def _others(guest: Guest, told: dict[str, list[User]]) -> dict[str, list[str]]:
    """Names of those who use the paths besides the guest itself."""
    return {
        path: [user.name for user in found if user.guest != str(guest.pk)]
        for path, found in told.items()
    }
