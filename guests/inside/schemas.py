"""What the API of the inside of guests takes and answers."""

from ninja import Schema
from pydantic import Field, SecretStr

from kvmweb.doors import Strict


class SystemOut(Schema):
    """The operating system as it calls itself."""

    id: str
    name: str
    version: str
    kernel: str
    machine: str


class SignedInOut(Schema):
    """Somebody who is signed in."""

    name: str
    domain: str
    since: str | None


class FileSystemOut(Schema):
    """A mounted file system."""

    mountpoint: str
    kind: str
    device: str
    total_bytes: int | None
    used_bytes: int | None


class InsideOut(Schema):
    """A guest from inside, as its agent told it then; it may have lied."""

    at: str
    hostname: str
    system: SystemOut | None
    timezone: str
    timezone_offset_s: int | None
    ahead_s: float | None
    users: list[SignedInOut]
    file_systems: list[FileSystemOut]
    untold: list[str]


class PasswordIn(Strict):
    """A new password for a user of the guest."""

    user: str = Field(max_length=64)
    password: SecretStr = Field(max_length=256)


class KeysIn(Strict):
    """Public keys that may sign in as a user of the guest."""

    user: str = Field(max_length=64)
    ssh_keys: list[str] = Field(min_length=1, max_length=50)
