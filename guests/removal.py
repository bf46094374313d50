"""What deleting a guest with its volumes would delete, and what it would leave and why.

libvirt protects nothing that is in use, so all we know is asked: disks of every guest on
every host that may see the same storage, and volumes that stand on others. The host is
asked once more when the deletion runs.
"""

from dataclasses import dataclass
from typing import Any

from guests.models import Guest, Twin
from guests.queries import Place, Volumes
from hosts.models import Host, Pool, Volume
from kvmweb.errors import Conflict
from kvmweb.virt.types import DomainState

_NETWORKED = {"netfs", "iscsi", "iscsi-direct", "rbd", "gluster", "sheepdog", "scsi"}


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
    sharing = _Sharing(guest.host, deleted)
    sharing.need_answers()
    users = sharing.users(guest, deleted)
    return [_kept(fate, users[fate.path]) if fate.deleted else fate for fate in fates]


def hosts_sharing(guest: Guest, paths: list[str]) -> list[Host]:
    """The hosts to ask whether they use these volumes: its own, and any that may see them.

    Raises Conflict when one of them does not answer.
    """
    if guest.host is None:
        return []
    sharing = _Sharing(guest.host, paths)
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


class _Sharing:
    """The hosts that may see the storage under these paths, as far as rows tell."""

    def __init__(self, home: Host, paths: list[str]) -> None:
        self._home = home
        holding = Pool.objects.filter(host=home, volumes__path__in=paths)
        pools = list(holding.distinct())
        targets = [pool.target for pool in pools if pool.target]
        others = Pool.objects.exclude(host=home).filter(target__in=targets)
        self._same: list[Pool] = []
        different: set[int] = set()
        for other in others.select_related("host"):
            if any(_may_be_same(pool, other) for pool in pools):
                self._same.append(other)
            else:
                different.add(other.host_id)
        self._sharing = {home.pk, *(pool.host_id for pool in self._same)}
        self._different = different - self._sharing

    def hosts(self) -> list[Host]:
        """Them, its home first."""
        others = {pool.host_id: pool.host for pool in self._same}
        return [self._home, *others.values()]

    def need_answers(self) -> None:
        """Nothing. Raises Conflict when one of these hosts cannot be asked."""
        for pool in self._same:
            if pool.host.state != Host.State.UP:
                raise Conflict(
                    f"{pool.host.name} does not answer, and its pool {pool.name} may "
                    "be the same storage: nobody knows whether it uses these volumes.",
                    hint="Keep the volumes, or wait until it answers.",
                )

    def users(self, guest: Guest, paths: list[str]) -> dict[str, list[str]]:
        """Who else uses these paths, by path: names of guests and of volumes."""
        found: dict[str, list[str]] = {path: [] for path in paths}
        called = self._called(paths)
        for name, host_id, uses in self._guests(guest):
            for path in paths:
                names = called[path] if host_id in self._sharing else {path}
                if uses & names:
                    found[path].append(name)
        above = Volume.objects.filter(
            pool__host__in=self._sharing, backing_path__in=paths
        )
        for name, path in above.values_list("name", "backing_path"):
            found[path].append(f"the volume {name}")
        return {path: list(dict.fromkeys(users)) for path, users in found.items()}

    def _called(self, paths: list[str]) -> dict[str, set[str]]:
        """What guests may call the volume at a path: the path, or pool and name."""
        names = {path: {path} for path in paths}
        rows = Volume.objects.filter(path__in=paths, pool__host__in=self._sharing)
        for path, pool, name in rows.values_list("path", "pool__name", "name"):
            names[path].add(f"{pool}/{name}")
        return names

    def _guests(self, guest: Guest) -> list[tuple[str, int | None, set[str]]]:
        """Every other guest and twin that may see it: name, host, what it uses."""
        rows = Guest.objects.exclude(host__in=self._different).exclude(pk=guest.pk)
        rows = rows.exclude(state=DomainState.GONE).only("name", "host", "uses")
        found = [(row.name, row.host_id, set(row.uses)) for row in rows]
        twins = Twin.objects.exclude(host__in=self._different)
        for twin in twins.only("name", "facts", "host").select_related("host"):
            uses = _uses(twin.facts.get("disks", []))
            found.append((f"{twin.name} on {twin.host.name}", twin.host_id, uses))
        return found


def _uses(disks: list[dict[str, Any]]) -> set[str]:
    told = {disk["path"] for disk in disks if disk["path"]}
    return told | {
        f"{disk['pool']}/{disk['volume']}" for disk in disks if disk["volume"]
    }


def _may_be_same(pool: Pool, other: Pool) -> bool:
    """Whether two pools with one path on two hosts may be one storage.

    A directory may be mounted from a server that libvirt knows nothing of. Then both
    have the same size to the byte, and not two whole sets of volumes.
    """
    if pool.type in _NETWORKED or other.type in _NETWORKED:
        return True
    sizes = {pool.capacity_bytes, other.capacity_bytes}
    if len(sizes) > 1 and 0 not in sizes:
        return False
    mine = set(pool.volumes.values_list("name", flat=True))
    theirs = set(other.volumes.values_list("name", flat=True))
    return not theirs or bool(mine & theirs)
