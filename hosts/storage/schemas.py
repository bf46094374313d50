"""What the API of storage takes and answers."""

import re
from collections.abc import Callable
from uuid import UUID

from ninja import Schema
from pydantic import Field

from hosts.storage.queries import STATES
from hosts.storage.services import Copy, New
from kvmweb import doors
from kvmweb.virt.poolwish import PoolSource, PoolWish

_NAME = Field(min_length=1, max_length=255)
_BYTES = Field(ge=1, le=2**53)
_FORM = re.compile(r"(?P<first>(?:[^:/@\[]+|\[[^\]]+\])(?::\d+)?)[:/@](?P<rest>.+)")
_DEVICES = frozenset({"fs", "disk"})


class PoolSourceIn(doors.Strict):
    """Where a pool's storage comes from; which parts count depends on its type."""

    hosts: list[str] = Field(default_factory=list, max_length=32)
    directory: str = Field("", max_length=1024)
    devices: list[str] = Field(default_factory=list, max_length=64)
    name: str = Field("", max_length=255)
    format: str = Field("", max_length=32)
    initiator: str = Field("", max_length=255)
    username: str = Field("", max_length=255)
    secret_uuid: UUID | None = None

    def source(self) -> PoolSource:
        """The same as the door to libvirt wants it."""
        return PoolSource(
            hosts=tuple(self.hosts),
            directory=self.directory,
            devices=tuple(self.devices),
            name=self.name,
            format=self.format,
            initiator=self.initiator,
            username=self.username,
            secret_uuid=self.secret_uuid,
        )


class PoolIn(doors.Strict):
    """A new pool. A source may be said in one word: "server:/export"."""

    name: str = _NAME
    type: str = Field(min_length=1, max_length=32)
    target: str = Field("", max_length=1024)
    source: PoolSourceIn | str | None = None
    autostart: bool = True
    build: bool = False

    def wish(self) -> PoolWish:
        """What this says, whole."""
        source = self.source
        if isinstance(source, str):
            said = source_of(self.type, source)
        else:
            said = source.source() if source else PoolSource()
        return PoolWish(self.name, self.type, self.target, said)


def source_of(kind: str, words: str) -> PoolSource:
    """A source that was said in one word, as people write it for this type of pool."""
    words = words.strip()
    read = _READ.get(kind)
    match = _FORM.fullmatch(words)
    if read is None or match is None:
        parts = tuple(words.split())
        return PoolSource(devices=parts) if kind in _DEVICES else PoolSource(name=words)
    return read(match["first"], match["rest"])


_READ: dict[str, Callable[[str, str], PoolSource]] = {
    "netfs": lambda first, rest: PoolSource(hosts=(first,), directory=rest),
    "gluster": lambda first, rest: PoolSource(hosts=(first,), name=rest.strip("/")),
    "iscsi": lambda first, rest: PoolSource(hosts=(first,), devices=(rest,)),
    "iscsi-direct": lambda first, rest: PoolSource(hosts=(first,), devices=(rest,)),
    "rbd": lambda first, rest: PoolSource(
        name=first, hosts=tuple(rest.replace(",", " ").split())
    ),
}


class PoolPatch(doors.Strict):
    """What changes of a pool."""

    autostart: bool


class VolumeIn(doors.Strict):
    """A new volume; `backing` is the id of one of the same host that it stands on."""

    name: str = _NAME
    format: str = Field("qcow2", max_length=32)
    capacity_bytes: int = _BYTES
    backing: int | None = Field(None, ge=0, le=doors.MAX_INT)

    def new(self) -> New:
        """Without what it stands on, which the gate gives."""
        return New(self.name, self.format, self.capacity_bytes)


class VolumePatch(doors.Strict):
    """What changes: a volume grows, never shrinks."""

    capacity_bytes: int = _BYTES


class CopyIn(doors.Strict):
    """A full copy; `pool` is another one of the same host."""

    name: str = _NAME
    pool: int | None = Field(None, ge=0, le=doors.MAX_INT)
    format: str = Field("", max_length=32)

    def copy_in(self) -> Copy:
        """Without the pool, which the gate gives."""
        return Copy(self.name, format=self.format)


class FetchIn(doors.Strict):
    """Where a file lies, and what its checksum must be."""

    url: str = Field(min_length=1, max_length=2000)
    sha256: str = Field("", max_length=64)


class VolumeQuery(doors.PageQuery):
    """Which volumes are asked for. Those in the trash come only when asked for."""

    state: str = Field("", pattern=f"^({'|'.join(STATES)})?$")
    unused: bool | None = None


class DeleteQuery(Schema):
    """Whether the trash is left out."""

    now: bool = False


class VolumeUserOut(Schema):
    """Something that uses a volume: a guest, or a volume that stands on it."""

    name: str
    guest: UUID | None


class PoolOut(Schema):
    """A storage pool; `provisioned_bytes` is what its volumes may grow to."""

    id: int
    host: int
    uuid: UUID
    name: str
    type: str
    active: bool
    autostart: bool
    persistent: bool
    target: str
    capacity_bytes: int
    allocation_bytes: int
    available_bytes: int
    volumes_total: int
    provisioned_bytes: int
    problem: str
    url: str
    page: str


class VolumeOut(Schema):
    """A volume: ready, building or in the trash, and who uses it."""

    id: int
    pool: int
    host: int
    name: str
    key: str
    path: str
    format: str
    capacity_bytes: int
    allocation_bytes: int
    backing_path: str
    state: str
    due_at: str | None
    problem: str
    used_by: list[VolumeUserOut]
    url: str
    content_url: str
