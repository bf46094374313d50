"""What hosts said of their guests' snapshots, stored and announced, only if new."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from guests.book import announce
from guests.models import Guest
from guests.snapshots.models import NAME_MAX, Snapshot
from hosts.columns import as_json, text
from hosts.models import Host
from hosts.recorders import recorder
from kvmweb.virt.snapshot_types import SnapshotFacts
from kvmweb.virt.types import DomainFacts

_TEXT = 16 * 1024
_PATH = 4096
_COLUMNS = (
    *("parent", "current", "at", "state", "description"),
    *("kind", "memory", "memory_path", "disks"),
)


@recorder("look")
def record_look(
    host: Host, domains: Sequence[DomainFacts], *, complete: bool = True
) -> None:
    """Make the rows of this host's guests say which snapshots they have now."""
    told = {each.uuid: each.snapshot_list for each in domains}
    _store(host, told, also_others=complete)


@recorder("domain")
def record_domain(host: Host, facts: DomainFacts, _event: str) -> None:
    """Make one guest's rows say which snapshots it has now."""
    _store(host, {facts.uuid: facts.snapshot_list})


@recorder("vanished")
def record_vanished(host: Host, uuid: UUID, _event: str) -> None:
    """A host that forgets a guest forgets its snapshots."""
    _store(host, {uuid: ()})


def _store(
    host: Host,
    told: dict[UUID, tuple[SnapshotFacts, ...]],
    *,
    also_others: bool = False,
) -> None:
    """Two queries when nothing is new; twins' snapshots are not their home's."""
    having = {uuid for uuid, snapshots in told.items() if snapshots}
    known = _known(host, None if also_others else set(told))
    if not having and not known:
        return
    homes = Guest.objects.filter(pk__in=having | set(known), host=host)
    changed: set[UUID] = set()
    for uuid in homes.values_list("pk", flat=True):
        if _write(uuid, known.get(uuid, {}), told.get(uuid, ())):
            changed.add(uuid)
    announce(changed)


def _known(host: Host, uuids: set[UUID] | None) -> dict[UUID, dict[str, Snapshot]]:
    rows = Snapshot.objects.filter(guest__host=host)
    if uuids is not None:
        rows = rows.filter(guest__in=uuids)
    found: dict[UUID, dict[str, Snapshot]] = defaultdict(dict)
    for row in rows:
        found[row.guest_id][row.name] = row
    return found


def _write(
    uuid: UUID, known: dict[str, Snapshot], told: Iterable[SnapshotFacts]
) -> bool:
    """Whether anything was new."""
    wanted = {text(each.name, NAME_MAX): _columns(each) for each in told}
    gone = [row.pk for name, row in known.items() if name not in wanted]
    fresh = [
        Snapshot(guest_id=uuid, name=name, **columns)
        for name, columns in wanted.items()
        if name not in known or _differs(known[name], columns)
    ]
    if gone:
        Snapshot.objects.filter(pk__in=gone).delete()
    Snapshot.objects.bulk_create(
        fresh,
        update_conflicts=True,
        unique_fields=["guest", "name"],
        update_fields=_COLUMNS,
    )
    return bool(gone or fresh)


def _differs(row: Snapshot, columns: dict[str, Any]) -> bool:
    return any(getattr(row, name) != value for name, value in columns.items())


def _columns(facts: SnapshotFacts) -> dict[str, Any]:
    disks: Any = as_json(facts.disks)
    return {
        "parent": text(facts.parent, NAME_MAX),
        "current": facts.current,
        "at": facts.created_at,
        "state": text(facts.state, 32),
        "description": text(facts.description, _TEXT),
        "kind": facts.kind,
        "memory": facts.memory,
        "memory_path": text(facts.memory_path, _PATH),
        "disks": [
            {key: text(value, _PATH) for key, value in disk.items()} for disk in disks
        ],
    }
