"""Look at a host and its domains, and say what they are as facts.

What a host cannot or will not say is None, empty or 0. Only a connection that broke
raises HostUnreachable, and a domain that is not there any more NotFound.
"""

import ipaddress
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

import libvirt

from kvmweb.errors import HostUnreachable, Invalid, NotFound
from kvmweb.virt import networks, snapshot_facts, storage
from kvmweb.virt.errors import explain, explaining
from kvmweb.virt.facts import (
    Addresses,
    Status,
    facts_of_xml,
    merged,
    refreshed,
    with_addresses,
)
from kvmweb.virt.types import (
    AddressFacts,
    DomainFacts,
    FullLook,
    HostFacts,
    NumaCell,
)
from kvmweb.virt.xml.capabilities import Capabilities, Sysinfo

__all__ = [
    "Known",
    "addresses_of",
    "document_facts",
    "domain_facts",
    "domain_list",
    "facts_of_xml",
    "full_look",
    "host_facts",
    "host_memory",
]

P = ParamSpec("P")
T = TypeVar("T")
U = TypeVar("U")

LEASE = libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE
AGENT = libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT
ARP = libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP
_SOURCES = {LEASE: "lease", AGENT: "agent", ARP: "arp"}
_MAX_NUMA_CELLS = 1024


@dataclass(frozen=True, slots=True)
class Known:
    """A domain of a list, with what the list says of it."""

    dom: libvirt.virDomain
    status: Status
    listed_at: float = field(default_factory=time.monotonic)


def asked(default: U, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | U:
    """What the call answers, or `default` where the host cannot say.

    Raises HostUnreachable when the connection broke, NotFound for a domain that went.
    """
    try:
        return call(*args, **kwargs)
    except libvirt.libvirtError as error:
        reason = explain(error, "read from the host")
        if isinstance(reason, HostUnreachable):
            raise reason from error
        if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
            raise NotFound("The host does not know this guest any more.") from error
        return default
    except ValueError:  # the binding met text that is not UTF-8
        return default


def full_look(conn: libvirt.virConnect) -> FullLook:
    """Everything on the host. Raises HostUnreachable, HostError."""
    return FullLook(
        host=host_facts(conn),
        domains=tuple(_each(domain_list(conn))),
        pools=tuple(storage.look(conn)),
        networks=tuple(networks.look(conn)),
    )


def _each(known: dict[UUID, Known]) -> Iterator[DomainFacts]:
    for each in known.values():
        try:
            yield document_facts(each)
        except NotFound:
            continue  # it went while we looked


def domain_list(conn: libvirt.virConnect) -> dict[UUID, Known]:
    """All domains with their states, in a handful of calls however many there are."""
    listed_at = time.monotonic()
    with explaining("list the guests"):
        doms = conn.listAllDomains(0)
        states = _states(conn)
        autostart = _those(conn, libvirt.VIR_CONNECT_LIST_DOMAINS_AUTOSTART)
        transient = _those(conn, libvirt.VIR_CONNECT_LIST_DOMAINS_TRANSIENT)
        saved = _those(conn, libvirt.VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE)
        with_snapshots = _those(conn, libvirt.VIR_CONNECT_LIST_DOMAINS_HAS_SNAPSHOT)
    found = {}
    for dom in doms:
        raw = dom.UUID()
        try:
            state, reason = states.get(raw) or asked((0, 0), dom.state, 0)
            snapshots = asked(0, dom.snapshotNum, 0) if raw in with_snapshots else 0
        except NotFound:
            continue
        status = Status(
            uuid=UUID(bytes=raw),
            name=_name(dom),
            state=state,
            reason=reason,
            persistent=raw not in transient,
            autostart=raw in autostart,
            managed_save=raw in saved,
            snapshots=snapshots,
        )
        found[status.uuid] = Known(dom, status, listed_at)
    return found


def _states(conn: libvirt.virConnect) -> dict[bytes, tuple[int, int]]:
    told: list[Any] = asked(
        [], conn.getAllDomainStats, libvirt.VIR_DOMAIN_STATS_STATE, 0
    )
    return {
        dom.UUID(): (said["state.state"], said.get("state.reason", 0))
        for dom, said in told
        if "state.state" in said
    }


def _those(conn: libvirt.virConnect, flag: int) -> set[bytes]:
    return {dom.UUID() for dom in asked([], conn.listAllDomains, flag)}


def _name(dom: libvirt.virDomain) -> str:
    try:
        return str(dom.name())
    except ValueError:
        return ""


def domain_facts(dom: libvirt.virDomain, *, addresses: bool = True) -> DomainFacts:
    """One domain as it is now; its addresses by leases, ARP and a connected agent.

    An agent may take long to answer: ask without addresses where that matters.
    Raises NotFound, HostUnreachable.
    """
    facts = document_facts(Known(dom, status_of(dom)))
    if not addresses or not facts.nics:
        return facts
    sources = [LEASE, ARP] + ([AGENT] if facts.agent else [])
    told = merged(*(addresses_of(dom, source) for source in sources))
    return with_addresses(facts, told)


def status_of(dom: libvirt.virDomain) -> Status:
    """What libvirt says of a domain beside its documents."""
    state, reason = asked((0, 0), dom.state, 0)
    return Status(
        uuid=UUID(bytes=dom.UUID()),
        name=_name(dom),
        state=state,
        reason=reason,
        persistent=bool(asked(1, dom.isPersistent)),
        autostart=bool(asked(0, dom.autostart)),
        managed_save=bool(asked(0, dom.hasManagedSaveImage, 0)),
        snapshots=asked(0, dom.snapshotNum, 0),
    )


def document_facts(known: Known, before: DomainFacts | None = None) -> DomainFacts:
    """One domain of a list with its documents, one call each; no addresses.

    `before` saves reading a document again that has not changed.
    Raises NotFound, HostUnreachable.
    """
    status = known.status
    inactive_flag = libvirt.VIR_DOMAIN_XML_INACTIVE
    xml, problem = _document(known.dom, 0 if status.active else inactive_flag)
    inactive = xml if status.persistent else ""
    if status.persistent and status.active:
        inactive, _ = _document(known.dom, inactive_flag)
    if before is not None and before.xml == xml and not problem:
        facts = refreshed(before, inactive, status)
    else:
        facts = facts_of_xml(xml, inactive, status, problem=problem)
    snapshots = snapshot_facts.listed(known.dom) if status.snapshots else ()
    same = snapshots == facts.snapshot_list
    return facts if same else replace(facts, snapshot_list=snapshots)


def _document(dom: libvirt.virDomain, flags: int) -> tuple[str, str]:
    """A domain's document without its secrets, and why there is none."""
    try:
        return dom.XMLDesc(flags), ""
    except libvirt.libvirtError as error:
        reason = explain(error, "read the guest's document")
        if isinstance(reason, HostUnreachable | NotFound):
            raise reason from error
        return "", reason.detail
    except ValueError:
        return "", "The guest's document is not UTF-8."


def addresses_of(dom: libvirt.virDomain, source: int) -> Addresses:
    """A domain's IP addresses by MAC, as one source tells them; empty if it cannot.

    `source` is LEASE, AGENT or ARP; the agent may hang for a long time.
    """
    told: dict[str, Any] | None = asked(None, dom.interfaceAddresses, source, 0)
    found: dict[str, tuple[AddressFacts, ...]] = {}
    for interface in (told or {}).values():
        mac = str(interface.get("hwaddr") or "").lower()
        texts = [str(each.get("addr")) for each in interface.get("addrs") or ()]
        facts = [AddressFacts(text, _SOURCES[source]) for text in texts if _shown(text)]
        if mac and facts:
            found[mac] = found.get(mac, ()) + tuple(facts)
    return found


def _shown(address: str) -> bool:
    """Whether this is an address that somebody else could reach; agents may lie."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    return not (ip.is_loopback or ip.is_link_local or ip.is_unspecified)


def host_facts(conn: libvirt.virConnect) -> HostFacts:
    """What the host says of itself. Raises HostUnreachable."""
    info: list[Any] = asked(["", 0, 0, 0, 1, 1, 1, 1], conn.getInfo)
    capabilities = _capabilities(conn)
    total, free = host_memory(conn)
    arch = capabilities.arch or str(info[0])
    return HostFacts(
        hostname=asked("", conn.getHostname),
        uuid=_uuid(capabilities.uuid),
        arch=arch,
        cpu_model=_cpu_model(conn) or capabilities.cpu_model,
        cpus=info[2],
        sockets=info[5] * max(1, info[4]),  # libvirt counts them per NUMA node
        cores=info[6],
        threads=info[7],
        cpu_mhz=info[3],
        memory_bytes=total or info[1] * 1024**2,
        memory_free_bytes=free,
        numa=_numa(conn, capabilities),
        libvirt_version=_version(asked(0, conn.getLibVersion)),
        hypervisor=asked("", conn.getType),
        hypervisor_version=_version(asked(0, conn.getVersion)),
        virt_types=_virt_types(capabilities, arch),
        secure=bool(asked(0, conn.isSecure)),
    )


def host_memory(conn: libvirt.virConnect) -> tuple[int | None, int | None]:
    """Bytes of memory the host has, and those that could be had; caches count as free.

    getInfo's total is another one on hosts whose own memory was ballooned.
    """
    told: dict[str, int] = asked(
        {}, conn.getMemoryStats, libvirt.VIR_NODE_MEMORY_STATS_ALL_CELLS, 0
    )
    if "total" in told and "free" in told:
        free = told["free"] + told.get("buffers", 0) + told.get("cached", 0)
        return told["total"] * 1024, min(free, told["total"]) * 1024
    return None, asked(None, conn.getFreeMemory)


def _capabilities(conn: libvirt.virConnect) -> Capabilities:
    try:
        return Capabilities.parse(asked("", conn.getCapabilities))
    except Invalid:
        return Capabilities.make()


def _cpu_model(conn: libvirt.virConnect) -> str:
    """The processor's name by SMBIOS, which many virtual hosts do not have."""
    try:
        sysinfo = Sysinfo.parse(asked("", conn.getSysinfo, 0))
    except Invalid:
        return ""
    for processor in sysinfo.processors:
        for entry in processor.entries:
            if entry.name == "version" and entry.value.strip():
                return entry.value.strip()
    return ""


def _numa(conn: libvirt.virConnect, told: Capabilities) -> tuple[NumaCell, ...]:
    cells = told.cells[:_MAX_NUMA_CELLS]
    ids = [each.id or 0 for each in cells]
    count = max(ids, default=-1) + 1
    free: list[int] = asked([], conn.getCellsFreeMemory, 0, count) if ids else []
    return tuple(
        NumaCell(
            id=cell_id,
            memory_bytes=cell.memory or 0,
            memory_free_bytes=free[cell_id] if cell_id < len(free) else None,
            cpus=tuple(each.id for each in cell.cpus if each.id is not None),
        )
        for cell_id, cell in zip(ids, cells, strict=True)
    )


def _virt_types(told: Capabilities, arch: str) -> tuple[str, ...]:
    types = [
        each.type
        for guest in told.guests
        if guest.arch == arch
        for each in guest.virt_types
    ]
    return tuple(dict.fromkeys(types))


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _version(number: int) -> str:
    """The version in libvirt's packed number: 9000000 is 9.0.0."""
    major, rest = divmod(number, 1_000_000)
    minor, release = divmod(rest, 1000)
    return f"{major}.{minor}.{release}" if number else ""
