"""What the API of hosts takes and answers."""

from dataclasses import fields, replace
from typing import Any, Literal
from uuid import UUID

from ninja import Schema
from pydantic import Field

from hosts.evacuating import Ways
from hosts.wishes import Wish
from kvmweb.doors import Strict
from kvmweb.virt.types import Address, Secrets, Transport

VirtType = Literal["auto", "kvm", "qemu"]
_LONG = 64 * 1024
_PLACE = ("port", "username", "socket_path")
_OWN = (
    "name",
    "migration_address",
    "virt_type",
    "reserved_memory_bytes",
    "cpu_overcommit",
    "memory_overcommit",
)


class _Said(Strict):
    """What may be said of a host: its parts, never a URI. Secrets only go in."""

    migration_address: str = Field("", max_length=253)
    virt_type: VirtType = "auto"
    tags: list[str] = Field(default_factory=list, max_length=100)
    reserved_memory_bytes: int = Field(
        0, ge=0, le=2**60, description="Of its memory, for itself alone."
    )
    cpu_overcommit: float | None = Field(
        None, ge=0.1, le=100, description="vCPUs a CPU may be promised to; null: any."
    )
    memory_overcommit: float = Field(
        1.0, ge=0.1, le=10, description="How often its memory may be promised."
    )
    address: str = Field("", max_length=253)
    port: int | None = Field(None, ge=1, le=65535)
    username: str = Field("", max_length=64)
    socket_path: str = Field("", max_length=200)
    password: str = Field("", max_length=1024)
    ssh_private_key: str = Field("", max_length=_LONG)
    ssh_host_key: str = Field("", max_length=_LONG)
    tls_ca: str = Field("", max_length=_LONG)
    tls_certificate: str = Field("", max_length=_LONG)
    tls_key: str = Field("", max_length=_LONG)


class HostIn(_Said):
    """A new host."""

    name: str = Field(max_length=63)
    transport: Transport

    def wish(self) -> Wish:
        """What this says, whole."""
        start = Wish(self.name, Address(self.transport))
        return changed(start, self.model_dump())


class HostPatch(_Said):
    """What changes; what is not said stays. An empty secret is taken away."""

    name: str = Field("", max_length=63)
    transport: Transport = Transport.LOCAL

    def wish(self, before: Wish) -> Wish:
        """The wish before with what is said here."""
        return changed(before, self.model_dump(exclude_unset=True))


def changed(before: Wish, said: dict[str, Any]) -> Wish:
    """The wish with these of the API's fields changed."""
    secrets = {f.name for f in fields(Secrets)}
    place = {name: said[name] for name in _PLACE if name in said}
    if "transport" in said:
        place["transport"] = Transport(said["transport"])
    if "address" in said:
        place["host"] = said["address"]
    place["secrets"] = replace(
        before.address.secrets, **{n: to for n, to in said.items() if n in secrets}
    )
    own = {name: said[name] for name in _OWN if name in said}
    if "tags" in said:
        own["tags"] = tuple(said["tags"])
    return replace(before, address=replace(before.address, **place), **own)


class MaintenanceIn(Strict):
    """Whether new guests are kept away, and whether those that are there leave."""

    enabled: bool
    evacuate: bool = False
    stuck: Literal["leave", "shut-down", "suspend"] = Field(
        "leave", description="What becomes of guests that cannot move."
    )
    choices: dict[UUID, Literal["leave", "shut-down", "suspend"]] = Field(
        default_factory=dict, description="The same for single guests, by UUID."
    )
    carry: bool = Field(default=False, description="Guests that are off move, too.")
    per_target: int = Field(2, ge=1, le=16, description="At once to one host.")
    per_source: int = Field(3, ge=1, le=16, description="At once from it.")

    def ways(self) -> Ways:
        """How it is to be emptied."""
        return Ways(
            stuck=self.stuck,
            choices={str(guest): choice for guest, choice in self.choices.items()},
            carry=self.carry,
            per_target=self.per_target,
            per_source=self.per_source,
        )


class NumaOut(Schema):
    """One memory node."""

    id: int
    memory_bytes: int
    memory_free_bytes: int | None
    cpus: list[int]


class StepOut(Schema):
    """One step of the last check; `ok` is null when it was not tried."""

    name: str
    title: str
    ok: bool | None
    detail: str
    hint: str


class HostOut(Schema):
    """A host: how it is reached, and what it says of itself."""

    id: int
    name: str
    state: Literal["connecting", "up", "down", "maintenance"]
    state_since: str
    error: str
    hint: str
    seen_at: str | None
    transport: Transport
    address: str
    port: int | None
    username: str
    socket_path: str
    migration_address: str
    maintenance: bool
    tags: list[str]
    reserved_memory_bytes: int
    cpu_overcommit: float | None
    memory_overcommit: float
    hostname: str
    uuid: UUID | None
    arch: str
    cpu_model: str
    cpus: int
    sockets: int
    cores: int
    threads: int
    cpu_mhz: int
    memory_bytes: int
    memory_free_bytes: int | None
    numa: list[NumaOut]
    libvirt_version: str
    hypervisor: str
    hypervisor_version: str
    virt_type: str
    virt_type_wanted: VirtType
    virt_types: list[str]
    encrypted: bool
    guests_running: int
    guests_total: int
    check_steps: list[StepOut]
    checked_at: str | None
    url: str
    page: str


class DhcpLeaseOut(Schema):
    """An address that a network gave out."""

    mac: str
    address: str
    hostname: str
    expires_at: str | None


class RangeOut(Schema):
    """Addresses that a network gives out, both ends among them."""

    start: str
    end: str


class FixedLeaseOut(Schema):
    """A network card that always gets the same address."""

    mac: str
    address: str
    name: str


class NetworkOut(Schema):
    """A virtual network."""

    id: int
    host: int
    uuid: UUID
    name: str
    active: bool
    autostart: bool
    persistent: bool
    mode: str
    bridge: str
    cidr: str
    dhcp: bool
    gateway: str
    ranges: list[RangeOut]
    fixed_leases: list[FixedLeaseOut]
    vlan: int | None
    openvswitch: bool
    portgroups: list[str]
    leases: list[DhcpLeaseOut]
    problem: str


class HostSeriesOut(Schema):
    """Numbers over time; null where there is a gap."""

    step_seconds: int
    times: list[str]
    series: dict[str, list[float | None]]
