"""What is weighed before a move: the guest's needs, its two hosts, what is known of both.

Values only. None and empty mean that nobody has said, and then it is not held against
a host.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePosixPath


@dataclass(frozen=True, slots=True)
class Reason:
    """Why not, or what to know; `action` is the button that mends it, "" for none."""

    code: str
    message: str  # a full sentence
    fix: str  # another one: what would mend it
    action: str = (
        ""  # eject, prove, start-network, start-pool, edit-host, see-host, check
    )
    subject: str = ""  # of the action: a disk's target, a pool, a network


@dataclass(frozen=True, slots=True)
class DiskAt:
    """A disk of the guest where it lies now."""

    target: str
    path: str = ""  # "" with none: an empty drive, or network storage
    pool: str = ""  # of its host, that holds it
    device: str = "disk"
    format: str = ""
    cache: str = ""
    readonly: bool = False
    optional: bool = False  # the guest starts without it
    networked: bool = False  # QEMU itself speaks to a server: each host sees the same
    capacity_bytes: int = 0
    allocated_bytes: int = 0  # with what lies below it

    @property
    def directory(self) -> str:
        """Where its path lies: the target of the pool that can hold it."""
        return str(PurePosixPath(self.path).parent) if self.path else ""

    @property
    def writable(self) -> bool:
        """Whether the guest's own data is in it."""
        return not self.readonly and self.device in {"disk", "lun"}


@dataclass(frozen=True, slots=True)
class NicAt:
    """A network card and what it hangs on."""

    kind: str  # network, bridge, direct; others need nothing of a host
    source: str


@dataclass(frozen=True, slots=True)
class Needs:
    """A guest that is to be moved, and what it needs of a host."""

    name: str
    live: bool = True  # else its definition and disks only
    state: str = "running"
    persistent: bool = True
    memory_bytes: int = 0
    vcpus: int = 1
    arch: str = ""
    virt_type: str = ""
    machine: str = ""
    firmware: str = ""
    cpu_mode: str = ""
    cpu_model: str = ""
    disks: tuple[DiskAt, ...] = ()
    nics: tuple[NicAt, ...] = ()
    devices: tuple[str, ...] = ()  # of its host, given to it; in words
    shares: tuple[str, ...] = ()  # directories of its host that it sees
    listens: tuple[str, ...] = ()  # addresses its screens listen on
    secrets: tuple[str, ...] = ()  # UUIDs that its disks are opened with
    snapshots: int = 0
    tpm: bool = False
    hugepages: bool = False
    saved: bool = False  # its memory lies in a file of its host
    busy: str = ""  # what is under way on it
    elsewhere: tuple[str, ...] = ()  # other hosts that show its UUID, unexplained


@dataclass(frozen=True, slots=True)
class PoolAt:
    """A storage pool of a host."""

    name: str
    type: str
    active: bool
    target: str
    free_bytes: int  # promises taken off


@dataclass(frozen=True, slots=True)
class Side:
    """A host as one end of a move."""

    id: int
    name: str
    up: bool = True
    maintenance: bool = False
    arch: str = ""
    virt_types: frozenset[str] = frozenset()
    emulator: tuple[int, ...] = ()  # version
    libvirt: tuple[int, ...] = ()
    machines: frozenset[str] = frozenset()
    firmware: frozenset[str] = frozenset()
    cpu_models: frozenset[str] = frozenset()
    cpu: str = ""  # the host's own model
    vcpus_max: int = 0
    tpm: bool | None = None
    hugepages: bool | None = None
    memory_left_bytes: int | None = None
    networks: Mapping[str, bool] = field(default_factory=dict)  # whether active
    interfaces: frozenset[str] = frozenset()  # bridges among them
    pools: tuple[PoolAt, ...] = ()
    taken: bool = False  # another of its guests has the name of the one to be moved
    paths: frozenset[str] = frozenset()  # of the guests' files, those that it has too
    address: str = ""  # where guests come in

    def pool_at(self, directory: str) -> PoolAt | None:
        """Its pool with this target, an active one first."""
        found = [pool for pool in self.pools if pool.target == directory]
        return max(found, key=lambda pool: pool.active, default=None)


@dataclass(frozen=True, slots=True)
class Between:
    """What is known of one pair of hosts."""

    proved: frozenset[str] = frozenset()  # directories seen to be one storage
    refuted: frozenset[str] = frozenset()  # seen to be two
    alike: frozenset[str] = frozenset()  # that look like one; only a hint
    found: tuple[Reason, ...] = ()  # against this guest, by asking both hosts
    notes: tuple[Reason, ...] = ()  # to know of the way between the two
    asked_at: datetime | None = None  # when; None: nobody has


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a guest may move to a host. `ok` is that there are no reasons."""

    ok: bool
    storage: str  # shared, copy, none
    reasons: tuple[Reason, ...] = ()  # why not
    notes: tuple[Reason, ...] = ()  # what to know; they stop nothing
    copied: tuple[str, ...] = ()  # targets of disks that are copied
    shared: tuple[str, ...] = ()  # and of those that both hosts see
    bytes_to_copy: int = 0
    asked_at: datetime | None = None  # both hosts, about this guest
