"""What a host says when it is asked whether a guest of another one could live there."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

import libvirt

from kvmweb.errors import Invalid
from kvmweb.virt.connection import READ_S, verb
from kvmweb.virt.errors import explain, explaining
from kvmweb.virt.reading import asked, host_memory
from kvmweb.virt.xml.document import Node, Size, Text
from kvmweb.virt.xml.domain import Domain

_ABSENT = (
    libvirt.VIR_ERR_NO_DOMAIN,
    libvirt.VIR_ERR_NO_SECRET,
    libvirt.VIR_ERR_NO_NETWORK,
    libvirt.VIR_ERR_NO_STORAGE_VOL,
    libvirt.VIR_ERR_NO_SUPPORT,
)


@dataclass(frozen=True, slots=True)
class Guest:
    """What is asked about."""

    uuid: UUID
    name: str
    networks: tuple[str, ...]
    secrets: tuple[str, ...]
    paths: tuple[str, ...]  # of its disks


@dataclass(frozen=True, slots=True)
class Answer:
    """What the host says now."""

    name_taken: bool  # another guest has it
    uuid_there: bool
    networks: dict[str, bool]  # those asked for that it has; whether active
    missing_secrets: tuple[str, ...]
    paths: frozenset[str]  # of those asked for, what its pools have
    pools: dict[str, int]  # bytes free of the active ones, by target
    memory_free_bytes: int | None


class _Pool(Node):
    tag = "pool"
    available = Size("available", "bytes")
    target = Text("target/path")


class _Cpu(Node):
    tag = "cpu"
    mode = Text("@mode")


@verb(deadline_s=READ_S)
def ask(conn: libvirt.virConnect, guest: Guest) -> Answer:
    """Everything about this guest at once."""
    with explaining(f"ask whether {guest.name} could come"):
        return Answer(
            name_taken=_has_other(conn, guest),
            uuid_there=_has(conn.lookupByUUIDString, str(guest.uuid)),
            networks=dict(_networks(conn, guest.networks)),
            missing_secrets=tuple(
                uuid
                for uuid in guest.secrets
                if not _has(conn.secretLookupByUUIDString, uuid)
            ),
            paths=frozenset(
                path for path in guest.paths if _has(conn.storageVolLookupByPath, path)
            ),
            pools=dict(_pools(conn)),
            memory_free_bytes=host_memory(conn)[1],
        )


@verb(deadline_s=READ_S)
def cpu_doubt(conn: libvirt.virConnect, xml: str) -> str:
    """Why this host cannot give a guest the CPU of this running document; "" if it can.

    Nothing is said of a CPU that is its host's own, or where nobody can compare.
    """
    document = Domain.parse(xml)
    cpu = document.element.find("cpu")
    if cpu is None or _Cpu(cpu).mode not in {"custom", ""}:
        return ""
    machine = document.os
    try:
        told = conn.compareHypervisorCPU(
            document.emulator or None,
            machine.arch if machine else None,
            machine.machine if machine else None,
            document.type or None,
            str(_Cpu(cpu)),
            libvirt.VIR_CONNECT_COMPARE_CPU_FAIL_INCOMPATIBLE,
        )
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_CPU_INCOMPATIBLE:
            return str(error.get_str2() or error).strip().rstrip(".")
        return ""  # it cannot compare; QEMU itself will refuse if it must
    return "" if told else "it is another one"


def _has_other(conn: libvirt.virConnect, guest: Guest) -> bool:
    if not _has(conn.lookupByName, guest.name):
        return False
    return UUID(bytes=conn.lookupByName(guest.name).UUID()) != guest.uuid


def _has(look: object, word: str) -> bool:
    try:
        look(word)  # type: ignore[operator]  # one of libvirt's own, which have no types
    except libvirt.libvirtError as error:
        if error.get_error_code() in _ABSENT:
            return False
        raise explain(error, f"look for {word}") from error
    return True


def _networks(
    conn: libvirt.virConnect, names: tuple[str, ...]
) -> Iterator[tuple[str, bool]]:
    for name in names:
        if _has(conn.networkLookupByName, name):
            yield name, bool(conn.networkLookupByName(name).isActive())


def _pools(conn: libvirt.virConnect) -> Iterator[tuple[str, int]]:
    flag = libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE
    for pool in asked([], conn.listAllStoragePools, flag):
        try:
            told = _Pool.parse(pool.XMLDesc(0))
        except Invalid:
            continue  # its page says so
        yield told.target.rstrip("/"), told.available or 0
