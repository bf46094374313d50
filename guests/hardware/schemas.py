"""What the API of a guest's hardware takes and answers."""

from typing import Literal

from ninja import Schema
from pydantic import Field

from guests.creation.wanted import Limits
from guests.hardware.device_wishes import DiskChange, DiskWish, NicChange, NicWish
from kvmweb.doors import Sent

When = Literal["now", "next-start"]


class DiskLimitsIn(Sent):
    """What a disk may do a second; 0 for no limit."""

    total_bytes_s: int = 0
    read_bytes_s: int = 0
    write_bytes_s: int = 0
    total_iops: int = 0
    read_iops: int = 0
    write_iops: int = 0

    def limits(self) -> Limits:
        """The same as a value."""
        return Limits(**self.dict())


class NewDiskIn(Sent):
    """A further disk: `size_bytes` for a new volume, or `volume` for one that is there."""

    volume: int | str | None = None
    pool: int | str | None = None
    size_bytes: int | None = None
    format: str = ""
    name: str = Field("", max_length=255)
    bus: str = ""
    cache: str = ""
    io: str = ""
    discard: bool = True
    readonly: bool = False
    shareable: bool = False
    limits: DiskLimitsIn | None = None
    when: When = "now"

    def wish(self) -> DiskWish:
        """The wish."""
        limits = self.limits.limits() if self.limits else Limits()
        return DiskWish(
            volume=_word(self.volume),
            pool=_word(self.pool),
            size_bytes=self.size_bytes or 0,
            format=self.format,
            name=self.name,
            bus=self.bus,
            cache=self.cache,
            io=self.io,
            discard=self.discard,
            readonly=self.readonly,
            shareable=self.shareable,
            limits=limits,
        )


class DiskEditIn(Sent):
    """What is to change of a disk; `size_bytes` grows it, running or not."""

    size_bytes: int | None = None
    bus: str | None = None
    cache: str | None = None
    io: str | None = None
    discard: bool | None = None
    readonly: bool | None = None
    limits: DiskLimitsIn | None = None
    when: When = "now"

    def wish(self) -> DiskChange:
        """The wish."""
        limits = self.limits.limits() if self.limits else None
        said = self.dict(exclude={"when", "limits"})
        return DiskChange(**said, limits=limits)


class UnplugQuery(Schema):
    """When a device is taken out."""

    when: When = "now"


class UnplugDiskQuery(UnplugQuery):
    """And what becomes of its volume: it stays, or goes into the trash."""

    volume: Literal["keep", "delete"] = "keep"


class MediaIn(Sent):
    """What is to be in a CD drive; null for nothing."""

    volume: int | str | None
    target: str = Field("", max_length=64)
    force: bool = False
    when: When = "now"

    def word(self) -> str:
        """The volume as the service takes it; "" for nothing."""
        return _word(self.volume)


class NewNicIn(Sent):
    """A further network card, on a network or a bridge of its host."""

    network: int | str | None = None
    bridge: str = Field("", max_length=64)
    model: str = ""
    mac: str = Field("", max_length=64)
    link_up: bool = True
    filter: str = Field("", max_length=255)
    inbound_kib_s: int = 0
    outbound_kib_s: int = 0
    when: When = "now"

    def wish(self) -> NicWish:
        """The wish."""
        said = self.dict(exclude={"when", "network", "mac"})
        return NicWish(network=_word(self.network), mac=self.mac.lower(), **said)


class NicEditIn(Sent):
    """What is to change of a network card; `filter` "" takes its filter away."""

    network: int | str | None = None
    bridge: str | None = Field(None, max_length=64)
    model: str | None = None
    link_up: bool | None = None
    filter: str | None = Field(None, max_length=255)
    inbound_kib_s: int | None = None
    outbound_kib_s: int | None = None
    when: When = "now"

    def wish(self) -> NicChange:
        """The wish."""
        said = self.dict(exclude={"when", "network"})
        network = None if self.network is None else _word(self.network)
        return NicChange(network=network, **said)


class HostDeviceIn(Sent):
    """A device of the host, by id or name."""

    device: int | str
    when: When = "now"

    def word(self) -> str:
        """The device as the service takes it."""
        return _word(self.device)


class OfferedDeviceOut(Schema):
    """A device of a guest's host."""

    id: int
    name: str
    kind: str
    vendor: str
    product: str
    given: bool
    users: list[str]


class XmlQuery(Schema):
    """Which of its two documents: what runs, or what it starts with next."""

    inactive: bool = False


class PendingOut(Schema):
    """What a running guest will be otherwise at its next start."""

    differs: bool
    changes: list[str]
    diff: str


def _word(value: int | str | None) -> str:
    return "" if value is None else str(value)
