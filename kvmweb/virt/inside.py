"""A guest from inside, as its agent tells it: whatever it says may be a lie."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class FileSystem:
    """A mounted file system, and how full it is; None where the agent can't say."""

    mountpoint: str
    kind: str  # ext4, ntfs…
    device: str  # of the guest: "vda1"
    total_bytes: int | None
    used_bytes: int | None


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Somebody who is signed in."""

    name: str
    domain: str  # Windows
    since: datetime | None


@dataclass(frozen=True, slots=True)
class System:
    """The operating system as it calls itself."""

    id: str  # "debian"
    name: str  # "Debian GNU/Linux 12 (bookworm)"
    version: str
    kernel: str
    machine: str


@dataclass(frozen=True, slots=True)
class InsideFacts:
    """What could be asked. A part that the agent does not know is None or empty."""

    hostname: str
    system: System | None
    timezone: str
    timezone_offset_s: int | None  # east of UTC
    ahead_s: float | None  # its clock before ours; below 0 when it is behind
    users: tuple[SignedIn, ...]
    file_systems: tuple[FileSystem, ...]
    untold: tuple[str, ...]  # words for what the agent would not or could not tell
