"""What a host says of snapshots: frozen values."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class SnapshotDiskFacts:
    """One disk of a snapshot."""

    target: str
    kind: str  # internal, external, no…
    base: str  # the file that holds the disk as it was, "pool/volume" where so named
    base_format: str
    overlay: str  # external: the file that was laid on top of it


@dataclass(frozen=True, slots=True)
class SnapshotFacts:
    """One snapshot of a domain."""

    name: str
    parent: str  # "" for a first one
    current: bool  # the domain goes on from it
    created_at: datetime | None
    state: str  # libvirt's word: running, paused, shutoff, disk-snapshot
    description: str
    kind: str  # internal, external; "mixed" when somebody managed that
    memory: bool  # also what was in memory is kept
    memory_path: str  # "" when it is inside a disk
    disks: tuple[SnapshotDiskFacts, ...]

    @property
    def overlays(self) -> tuple[str, ...]:
        """The files that were laid on top when it was made."""
        return tuple(disk.overlay for disk in self.disks if disk.overlay)


@dataclass(frozen=True, slots=True)
class SurveyDisk:
    """A disk of a domain that has to do with snapshots."""

    target: str
    device: str
    kind: str  # file, block, network, volume…
    format: str
    writable: bool
    path: str  # "" for what is no file or device of the host
    capacity_bytes: int
    chain: tuple[str, ...]  # it and what it stands on, as the pools say when it is off


@dataclass(frozen=True, slots=True)
class Folder:
    """A pool of files where something can be laid down."""

    pool: UUID
    path: str
    available_bytes: int


@dataclass(frozen=True, slots=True)
class Survey:
    """All that decides how a domain's snapshots are made, gone back to and deleted."""

    name: str
    state: str  # DomainState's word
    persistent: bool
    managed_save: bool
    virt_type: str
    firmware: str  # bios, uefi, uefi-secure
    agent: bool  # it is connected
    libvirt_version: int  # 9000000 is 9.0.0
    disks: tuple[SurveyDisk, ...]
    folders: tuple[Folder, ...]
    snapshots: tuple[SnapshotFacts, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A snapshot to be made."""

    name: str
    description: str
    external: bool
    memory: bool
    overlays: tuple[tuple[str, str], ...] = ()  # external: (target, path)
    left_out: tuple[str, ...] = ()  # targets of disks that are no part of it
    memory_path: str = ""
    quiesce: bool = False
