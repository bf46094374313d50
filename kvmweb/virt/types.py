"""What travels between the door to libvirt and the rest: frozen values, units in the names."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from kvmweb.virt.abilities import Surroundings
from kvmweb.virt.netplan import DhcpRange, FixedLease
from kvmweb.virt.snapshot_types import SnapshotFacts


class Transport(StrEnum):
    """How a host is reached. There is no free URI: each is put together from parts."""

    LOCAL = "local"  # this machine's system libvirtd
    UNIX = "unix"  # a socket of this machine, by path
    TCP = "tcp"  # unencrypted, for closed networks
    TLS = "tls"
    SSH = "ssh"
    TEST = "test"  # libvirt's own test driver; socket_path may name its XML file


class DomainState(StrEnum):
    """The states of CONTRACT; `unknown` and `gone` are said by us, never by a host."""

    RUNNING = "running"
    PAUSED = "paused"
    SHUTTING_DOWN = "shutting-down"
    SHUTOFF = "shutoff"
    CRASHED = "crashed"
    SUSPENDED = "suspended"
    UNKNOWN = "unknown"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Secrets:
    """What opens a host. Never printed: repr shows none of it."""

    password: str = field(default="", repr=False)  # SASL, for tcp and tls
    ssh_private_key: str = field(default="", repr=False)  # OpenSSH PEM
    ssh_host_key: str = field(
        default="", repr=False
    )  # "ssh-ed25519 AAAA…", what is trusted
    tls_ca: str = field(default="", repr=False)  # PEM
    tls_certificate: str = field(default="", repr=False)  # PEM
    tls_key: str = field(default="", repr=False)  # PEM


@dataclass(frozen=True, slots=True)
class Address:
    """Where a host is and how it is reached; validated before it becomes a URI."""

    transport: Transport
    host: str = ""  # name or IP address; for tcp, tls, ssh
    port: int | None = None  # None: the transport's own (16509, 16514, 22)
    username: str = ""  # for ssh, and SASL
    socket_path: str = ""  # unix: required; test: an XML file; ssh: the far socket
    secrets: Secrets = field(default_factory=Secrets)


@dataclass(frozen=True, slots=True)
class NumaCell:
    """One memory node of a host."""

    id: int
    memory_bytes: int
    memory_free_bytes: int | None
    cpus: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What a host says of itself. What it cannot say is None or empty, never a guess."""

    hostname: str
    uuid: (
        UUID | None
    )  # libvirt's host UUID: the same machine behind two addresses has one
    arch: str
    cpu_model: str
    cpus: int  # logical
    sockets: int
    cores: int  # a socket
    threads: int  # a core
    cpu_mhz: int
    memory_bytes: int
    memory_free_bytes: int | None
    numa: tuple[NumaCell, ...]
    libvirt_version: str  # "9.0.0"
    hypervisor: str  # "QEMU", "TEST"
    hypervisor_version: str
    virt_types: tuple[str, ...]  # of its own arch: ("kvm", "qemu")
    secure: bool  # the connection is encrypted or local


@dataclass(frozen=True, slots=True)
class DiskFacts:
    """One disk of a domain, as its XML says."""

    target: str  # "vda"; unique in a guest
    device: str  # disk, cdrom, floppy, lun
    bus: str
    kind: str  # file, block, network, volume, dir, nvme, vhostuser…
    path: str  # file or device; "" when there is none (an empty CD-ROM, network)
    pool: str  # only where the XML names pool and volume
    volume: str
    format: str
    readonly: bool
    shareable: bool
    capacity_bytes: int | None = None
    allocation_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class AddressFacts:
    """One IP address of a guest and who told it."""

    address: str
    source: str  # agent, lease, arp


@dataclass(frozen=True, slots=True)
class NicFacts:
    """One network card."""

    mac: str
    kind: str  # network, bridge, direct, user…
    network: str  # the source's name whatever its kind: network, bridge or device
    model: str
    target: str  # "vnet3" while running
    link_up: bool
    addresses: tuple[AddressFacts, ...] = ()


@dataclass(frozen=True, slots=True)
class GraphicsFacts:
    """One screen as the running XML says. Its listen address is shown, never dialled."""

    kind: str  # vnc, spice…
    port: int | None
    socket: str
    listen: str


@dataclass(frozen=True, slots=True)
class DomainFacts:
    """One domain as a host says it. Whatever libvirt accepts can be one of these."""

    uuid: UUID
    name: str
    state: DomainState
    reason: (
        str  # libvirt's word: "booted", "crashed", "ioerror", "migrated"; "" unknown
    )
    persistent: bool
    autostart: bool
    managed_save: bool
    vcpus: int
    vcpus_max: int
    memory_bytes: int  # current balloon target
    memory_max_bytes: int
    virt_type: str  # kvm, qemu, xen, test…
    os: str  # osinfo id ("http://debian.org/debian/12") or os type ("hvm")
    firmware: str  # bios, uefi, uefi-secure
    machine: str
    arch: str
    title: str
    description: str
    disks: tuple[DiskFacts, ...]
    nics: tuple[NicFacts, ...]
    graphics: tuple[GraphicsFacts, ...]
    serial: bool  # has a console or serial port of type pty
    agent: bool | None  # guest agent: None no channel, else whether it is connected
    snapshots: int
    xml: str  # what runs, or what is defined when it does not run; no secrets in it
    inactive_xml: str  # what it will start with next; "" for a transient one
    started_at: datetime | None
    problem: str = ""  # why the document could only be read in part, as a sentence
    snapshot_list: tuple[SnapshotFacts, ...] = ()


@dataclass(frozen=True, slots=True)
class Lease:
    """One address a network's DHCP server gave out."""

    mac: str
    address: str
    hostname: str
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class NetworkFacts:
    """One virtual network."""

    uuid: UUID
    name: str
    active: bool
    autostart: bool
    persistent: bool
    mode: str  # nat, route, isolated, bridge, open, hostdev…
    bridge: str
    cidr: str
    dhcp: bool
    leases: tuple[Lease, ...]
    problem: str = ""
    gateway: str = ""  # the host's own address in it
    ranges: tuple[DhcpRange, ...] = ()
    fixed: tuple[FixedLease, ...] = ()
    vlan: int | None = None
    openvswitch: bool = False
    portgroups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VolumeFacts:
    """One volume of a pool."""

    name: str
    key: str
    path: str
    format: str
    capacity_bytes: int
    allocation_bytes: int
    backing_path: str


@dataclass(frozen=True, slots=True)
class PoolFacts:
    """One storage pool. Volumes only when it is active."""

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
    volumes: tuple[VolumeFacts, ...]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class VolumeUser:
    """A domain that uses a volume: as a disk, below one, in a snapshot or a saved state."""

    uuid: UUID
    name: str
    active: bool


@dataclass(frozen=True, slots=True)
class GuestSample:
    """What a guest did between two ticks. None where the host could not say."""

    cpu_percent: float | None  # of what it may use: 4 vCPUs all busy = 100
    memory_bytes: int | None  # in use, as the guest says (balloon)
    memory_host_bytes: int | None  # resident, as the host pays
    disk_read_bytes_s: float | None
    disk_write_bytes_s: float | None
    net_rx_bytes_s: float | None
    net_tx_bytes_s: float | None


@dataclass(frozen=True, slots=True)
class HostSample:
    """What a host did between two ticks."""

    cpu_percent: float | None
    memory_bytes: int | None  # in use
    memory_free_bytes: int | None


@dataclass(frozen=True, slots=True)
class JobFacts:
    """A running job of a domain (save, dump, migration)."""

    kind: str
    elapsed_ms: int
    remaining_ms: int | None
    total_bytes: int
    processed_bytes: int
    remaining_bytes: int


# What the eye on a host tells the watcher, in the order it saw it.


@dataclass(frozen=True, slots=True)
class FullLook:
    """Everything on the host at once. What is not in it is not there."""

    host: HostFacts
    domains: tuple[DomainFacts, ...]
    pools: tuple[PoolFacts, ...]
    networks: tuple[NetworkFacts, ...]
    pools_known: bool = True  # False: the look at them hangs, so pools is no answer
    networks_known: bool = True
    around: Surroundings | None = None  # None: not looked at yet


@dataclass(frozen=True, slots=True)
class DomainSeen:
    """One domain looked at again after an event; `event` is what woke us, for the history."""

    domain: DomainFacts
    event: str  # "started", "crashed", "device-added", "balloon"…; "" when none


@dataclass(frozen=True, slots=True)
class DomainVanished:
    """The host does not know this UUID any more."""

    uuid: UUID
    event: str


@dataclass(frozen=True, slots=True)
class StorageSeen:
    """All pools of the host, looked at again."""

    pools: tuple[PoolFacts, ...]


@dataclass(frozen=True, slots=True)
class NetworksSeen:
    """All networks of the host, looked at again."""

    networks: tuple[NetworkFacts, ...]


@dataclass(frozen=True, slots=True)
class SurroundingsSeen:
    """What is around the guests of the host, looked at again."""

    around: Surroundings


@dataclass(frozen=True, slots=True)
class Tick:
    """Numbers of one tick; guests that could not be asked are missing."""

    at: float  # seconds since the epoch, our clock
    host: HostSample
    guests: dict[UUID, GuestSample]


@dataclass(frozen=True, slots=True)
class GuestStrain:
    """How much of the time a guest's vCPUs waited, lately."""

    uuid: UUID
    delay_percent: float  # ready to run, and no CPU of the host was free
    wait_percent: float  # for disks and events; idle vCPUs, too


@dataclass(frozen=True, slots=True)
class StrainSeen:
    """How much all guests of the host wait for CPUs."""

    guests: tuple[GuestStrain, ...]


@dataclass(frozen=True, slots=True)
class Lost:
    """The connection ended or was never made; the eye is about to end."""

    message: str  # a full sentence
    hint: str
    code: str  # of kvmweb.errors: host_unreachable, host_timeout, unsupported…


News = (
    FullLook
    | DomainSeen
    | DomainVanished
    | StorageSeen
    | NetworksSeen
    | SurroundingsSeen
    | StrainSeen
    | Tick
    | Lost
)


@dataclass(frozen=True, slots=True)
class CheckStep:
    """One step of checking a host, told as it ends."""

    name: str  # name, port, handshake, permission, version, virtualisation, identity
    title: str  # "Resolve kvm1.example.org"
    ok: bool | None  # None: not tried, because an earlier one failed
    detail: str  # what was seen
    hint: str = ""
