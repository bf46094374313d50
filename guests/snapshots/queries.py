"""What pages and the API read of snapshots, in a fixed number of queries."""

from collections.abc import Iterable

from django.db.models import Q

from guests.models import Guest
from guests.snapshots.models import Snapshot
from hosts.models import Volume
from kvmweb.errors import NotFound


def of(guest: Guest) -> list[Snapshot]:
    """The guest's snapshots with their sizes, the oldest first. Two queries."""
    rows = list(guest.snapshot_rows.all())
    sized(guest, rows)
    return rows


def tree(guest: Guest) -> list[Snapshot]:
    """The same as a tree: each after the one it was made from, with its depth."""
    rows = of(guest)
    names = {row.name for row in rows}
    children: dict[str, list[Snapshot]] = {}
    for row in rows:
        above = row.parent if row.parent in names and row.parent != row.name else ""
        children.setdefault(above, []).append(row)
    ordered: list[Snapshot] = []
    waiting = [(row, 0) for row in reversed(children.pop("", []))]
    while waiting:
        row, row.depth = waiting.pop()
        ordered.append(row)
        below = reversed(children.pop(row.name, []))
        waiting += [(child, row.depth + 1) for child in below]
    # A circle, if a host ever tells one, is shown flat.
    return ordered + [row for row in rows if row not in ordered]


def one(guest: Guest, name: str) -> Snapshot:
    """This one, with its size. Raises NotFound."""
    for row in of(guest):
        if row.name == name:
            return row
    raise NotFound(f"{guest.name} has no snapshot of this name.")


def newest(rows: Iterable[Snapshot]) -> Snapshot | None:
    """The one that the guest goes on from."""
    return next((row for row in rows if row.current), None)


def sized(guest: Guest, rows: list[Snapshot]) -> None:
    """Set what each takes in files of its own: what was laid on top, and memory."""
    wanted = {path for row in rows for path in files(row)}
    if not wanted:
        return
    volumes = Volume.objects.filter(Q(pool__host=guest.host_id), path__in=wanted)
    sizes = dict(volumes.values_list("path", "allocation_bytes"))
    for row in rows:
        found = [sizes[path] for path in files(row) if path in sizes]
        row.size_bytes = sum(found) if found else None
        row.written_bytes = sum(sizes.get(path, 0) for path in _overlays(row))


def files(row: Snapshot) -> list[str]:
    """The files that are there for this snapshot alone, as far as rows tell."""
    return [*_overlays(row), *([row.memory_path] if row.memory_path else [])]


def _overlays(row: Snapshot) -> list[str]:
    return [disk["overlay"] for disk in row.disks if disk["overlay"]]
