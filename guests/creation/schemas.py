"""What the API of new guests takes and answers."""

from typing import Annotated, Literal

from ninja import Schema
from pydantic import Field

from guests.creation import wanted as words
from guests.creation.wanted import (
    Cpu,
    Limits,
    Share,
    Wanted,
    WantedDisk,
    WantedNic,
)
from guests.images.seed import Card, CloudInit
from kvmweb.doors import Strict

Ref = Annotated[int | str, Field(union_mode="smart")]  # an id, or a name
_TEXT = 64 * 1024
_NAMES = 200


class CpuIn(Strict):
    """Which processor it sees; without a mode, what fits its host."""

    mode: Literal[
        "", "host-model", "host-passthrough", "maximum", "named", "baseline"
    ] = ""
    model: str = Field("", max_length=128)
    sockets: int | None = None
    cores: int | None = None
    threads: int | None = None


class LimitsIn(Strict):
    """What a disk may do a second; 0 for no limit."""

    total_bytes_s: int = 0
    read_bytes_s: int = 0
    write_bytes_s: int = 0
    total_iops: int = 0
    read_iops: int = 0
    write_iops: int = 0


class DiskIn(Strict):
    """A blank disk (`size_bytes`), one made of an image, or a volume that is there."""

    size_bytes: int | None = None
    pool: Ref | None = None
    image: Ref | None = None
    volume: Ref | None = None
    bus: str = Field("", max_length=16)
    format: str = Field("", max_length=16)
    copy_whole: bool = Field(default=False, alias="copy")
    cache: str = Field("", max_length=16)
    io: str = Field("", max_length=16)
    discard: bool = True
    limits: LimitsIn | None = None

    def wanted(self) -> WantedDisk:
        """The same, as the services take it."""
        limits = self.limits.model_dump() if self.limits else {}
        return WantedDisk(
            size_bytes=self.size_bytes,
            pool=_word(self.pool),
            image=_word(self.image),
            volume=_word(self.volume),
            bus=self.bus,
            format=self.format,
            copy=self.copy_whole,
            cache=self.cache,
            io=self.io,
            discard=self.discard,
            limits=Limits(**limits),
        )


class NicIn(Strict):
    """A network card on a network (id or name), or on a bridge of the host."""

    network: Ref | None = None
    bridge: str = Field("", max_length=64)
    model: str = Field("", max_length=16)
    mac: str = Field("", max_length=17)
    filter: str | None = Field(None, max_length=128)
    inbound_kib_s: int = 0
    outbound_kib_s: int = 0

    def wanted(self) -> WantedNic:
        """The same, as the services take it."""
        told = self.model_dump() | {
            "network": _word(self.network),
            "mac": self.mac.lower(),
        }
        return WantedNic(**told)


class CloudIn(Strict):
    """Who the guest is, told to cloud-init at its first start."""

    hostname: str = Field("", max_length=253)
    user: str = Field("", max_length=64)
    password: str = Field("", max_length=1024)
    ssh_keys: list[str] = Field(default_factory=list, max_length=100)
    user_data: str = Field("", max_length=_TEXT * 2)
    addresses: list[str] = Field(default_factory=list, max_length=16)
    gateway: str = Field("", max_length=64)
    dns: list[str] = Field(default_factory=list, max_length=16)

    def cloud(self) -> CloudInit:
        """The same; the first card has no MAC address yet."""
        network = ()
        if self.addresses or self.gateway or self.dns:
            card = Card("", tuple(self.addresses), self.gateway, tuple(self.dns))
            network = (card,)  # type: ignore[assignment]
        return CloudInit(
            hostname=self.hostname,
            user=self.user,
            password=self.password,
            ssh_keys=tuple(self.ssh_keys),
            user_data=self.user_data,
            network=network,
        )


class ShareIn(Strict):
    """A directory of the host that the guest sees by virtiofs under this tag."""

    path: str = Field(max_length=1024)
    tag: str = Field(max_length=64)


class GuestIn(Strict):
    """A new guest, or `count` of them with numbered names."""

    name: str = Field(max_length=_NAMES)
    vcpus: int
    memory_bytes: int
    host: Ref | None = None
    project: Ref | None = None
    count: int = 1
    os: str = Field("", max_length=_NAMES)
    firmware: str = Field("", max_length=16)
    title: str = Field("", max_length=1000)
    description: str = Field("", max_length=_TEXT)
    owner: str | None = Field("", max_length=150)
    tags: list[str] = Field(default_factory=list, max_length=100)
    start: bool = True
    autostart: bool = False
    machine: str = Field("q35", max_length=64)
    cpu: CpuIn | None = None
    vcpus_max: int | None = None
    memory_max_bytes: int | None = None
    balloon: bool = True
    hugepages: bool = False
    iothreads: int = 0
    disks: list[DiskIn] = Field(default_factory=list, max_length=100)
    nics: list[NicIn] = Field(default_factory=list, max_length=100)
    cdrom: Ref | None = None
    cdroms: list[Ref] = Field(default_factory=list, max_length=100)
    cloud_init: CloudIn | None = None
    tpm: bool | None = None
    watchdog: str = Field("", max_length=16)
    rng: bool = True
    screen: str = Field("vnc", max_length=16)
    boot: list[str] = Field(default_factory=lambda: list(words.BOOTS), max_length=10)
    host_devices: list[int] = Field(default_factory=list, max_length=100)
    shares: list[ShareIn] = Field(default_factory=list, max_length=100)

    def wanted(self, username: str) -> Wanted:
        """The same; without `owner`, it is who asks, and null is nobody."""
        cds = [*([] if self.cdrom is None else [self.cdrom]), *self.cdroms]
        plain = self.model_dump(exclude=_APART)
        owner = {None: "", "": username}.get(self.owner, self.owner or "")
        return Wanted(
            **plain,
            host=_word(self.host),
            owner=owner,
            project=_word(self.project),
            tags=tuple(dict.fromkeys(self.tags)),
            cpu=Cpu(**self.cpu.model_dump()) if self.cpu else Cpu(),
            disks=tuple(disk.wanted() for disk in self.disks),
            nics=tuple(nic.wanted() for nic in self.nics),
            cdroms=tuple(_word(each) for each in cds),
            boot=tuple(self.boot),
            host_devices=tuple(self.host_devices),
            shares=tuple(Share(each.path, each.tag) for each in self.shares),
        )

    def cloud(self) -> CloudInit | None:
        """Who it is told to be, if anything."""
        return self.cloud_init.cloud() if self.cloud_init else None


_APART = {
    *("host", "project", "owner", "tags", "cpu", "disks", "nics", "cdrom", "cdroms"),
    *("cloud_init", "boot", "host_devices", "shares"),
}


class PlacedOut(Schema):
    """Where one guest would go."""

    name: str
    host: int
    host_name: str
    why: list[str]


class OtherOut(Schema):
    """A host that was passed over."""

    host_name: str
    reasons: list[str]


class NewVolumeOut(Schema):
    """A volume that would be made."""

    guest: str
    pool: int
    pool_name: str
    name: str
    path: str
    format: str
    capacity_bytes: int
    image: int | None


class PreviewOut(Schema):
    """What would happen, were it asked for now. The XML is the first guest's."""

    guests: list[PlacedOut]
    others: list[OtherOut]
    volumes: list[NewVolumeOut]
    warnings: list[str]
    xml: str | None


def _word(ref: int | str | None) -> str:
    return "" if ref is None else str(ref)
