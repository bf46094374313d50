"""What the API of snapshots takes and answers."""

from typing import Any

from ninja import Schema
from pydantic import Field

from guests.snapshots.models import Snapshot
from guests.snapshots.services import Wish
from hosts.json import moment
from kvmweb.doors import Strict


class SnapshotIn(Strict):
    """A snapshot to be made."""

    name: str = Field(max_length=200)
    description: str = ""
    memory: bool = False

    def wish(self) -> Wish:
        """The same for the service."""
        return Wish(self.name, self.description, self.memory)


class SnapshotOut(Schema):
    """A snapshot as its host says it."""

    name: str
    parent: str | None
    current: bool
    created_at: str | None
    state: str
    description: str
    memory: bool
    kind: str
    size_bytes: int | None


def snapshot_json(row: Snapshot) -> dict[str, Any]:
    """One snapshot; its size is null while it lies inside the disks' own files."""
    return {
        "name": row.name,
        "parent": row.parent or None,
        "current": row.current,
        "created_at": moment(row.at),
        "state": row.state,
        "description": row.description,
        "memory": row.memory,
        "kind": row.kind,
        "size_bytes": row.size_bytes,
    }
