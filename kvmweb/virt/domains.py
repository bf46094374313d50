"""Verbs about one domain, run on a host with `host.run(domains.start, uuid)`.

Each finds the domain by its UUID, for a name is only a label, and raises NotFound when
the host does not know it, Conflict when its state does not allow the verb.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

import libvirt

from kvmweb.errors import NotFound, Unsupported
from kvmweb.virt import reading
from kvmweb.virt.connection import CHANGE_S, DESTROY_S, READ_S, verb
from kvmweb.virt.errors import explaining
from kvmweb.virt.facts import state_of
from kvmweb.virt.types import DomainFacts, DomainState, JobFacts
from kvmweb.virt.xml.devices import Graphics
from kvmweb.virt.xml.document import Text
from kvmweb.virt.xml.domain import Domain, check_ranges

_NOT_BY_THE_AGENT = (
    libvirt.VIR_ERR_AGENT_UNRESPONSIVE,
    libvirt.VIR_ERR_AGENT_UNSYNCED,
    libvirt.VIR_ERR_ARGUMENT_UNSUPPORTED,
    libvirt.VIR_ERR_CONFIG_UNSUPPORTED,
    libvirt.VIR_ERR_OPERATION_UNSUPPORTED,
    libvirt.VIR_ERR_NO_SUPPORT,
    libvirt.VIR_ERR_INVALID_ARG,  # a driver without this flag
)
_UNKNOWN_FLAG = (libvirt.VIR_ERR_INVALID_ARG, libvirt.VIR_ERR_NO_SUPPORT)

# What undefining leaves behind unless told; the last one came with the newest libvirt.
_UNDEFINE_ALL = (
    libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE,
    libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA,
    libvirt.VIR_DOMAIN_UNDEFINE_NVRAM,
    libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA,
    libvirt.VIR_DOMAIN_UNDEFINE_TPM,
)
_JOBS = {
    value: name.removeprefix("VIR_DOMAIN_JOB_OPERATION_").replace("_", " ").lower()
    for name, value in vars(libvirt).items()
    if name.startswith("VIR_DOMAIN_JOB_OPERATION_") and value
}


class Means(StrEnum):
    """By whom a guest was asked to shut down or reboot."""

    AGENT = "agent"
    ACPI = "acpi"


class _Screen(Graphics):
    """A VNC screen with the password that nobody may read."""

    password = Text("@passwd")
    valid_to = Text("@passwdValidTo")
    connected = Text("@connected")


@verb(deadline_s=READ_S)
def look(conn: libvirt.virConnect, uuid: UUID) -> DomainFacts | None:
    """The domain as it is now; None when the host does not know it."""
    try:
        return reading.domain_facts(_find(conn, uuid))
    except NotFound:
        return None


@verb(deadline_s=READ_S)
def state(conn: libvirt.virConnect, uuid: UUID) -> DomainState | None:
    """How it is now, quickly; None when the host does not know it."""
    try:
        with domain_of(conn, uuid, "ask for the state of {}") as domain:
            return state_of(*domain.state())[0]
    except NotFound:
        return None


@verb(deadline_s=READ_S)
def get_xml(conn: libvirt.virConnect, uuid: UUID, *, secure: bool = False) -> str:
    """The document of what runs, or of what is defined; with passwords if `secure`."""
    with domain_of(conn, uuid, "read the document of {}") as domain:
        return str(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_SECURE if secure else 0))


@verb(deadline_s=CHANGE_S)
def start(conn: libvirt.virConnect, uuid: UUID) -> None:
    """Power on, or go on from where it was saved."""
    with domain_of(conn, uuid, "start {}") as domain:
        domain.create()


@verb(deadline_s=CHANGE_S)
def shutdown(conn: libvirt.virConnect, uuid: UUID) -> Means:
    """Ask the guest to power off: its agent, else by the ACPI button.

    It may take its time or ignore it; this does not wait.
    """
    with domain_of(conn, uuid, "shut down {}") as domain:
        return _agent_first(
            domain.shutdownFlags,
            agent=libvirt.VIR_DOMAIN_SHUTDOWN_GUEST_AGENT,
            acpi=libvirt.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN,
        )


@verb(deadline_s=CHANGE_S)
def reboot(conn: libvirt.virConnect, uuid: UUID) -> Means:
    """Ask the guest to restart: its agent, else by ACPI. Does not wait."""
    with domain_of(conn, uuid, "reboot {}") as domain:
        return _agent_first(
            domain.reboot,
            agent=libvirt.VIR_DOMAIN_REBOOT_GUEST_AGENT,
            acpi=libvirt.VIR_DOMAIN_REBOOT_ACPI_POWER_BTN,
        )


@verb(deadline_s=CHANGE_S)
def reset(conn: libvirt.virConnect, uuid: UUID) -> None:
    """Press the reset button: the guest restarts at once and loses what it held."""
    with domain_of(conn, uuid, "reset {}") as domain:
        domain.reset(0)


@verb(deadline_s=DESTROY_S)
def force_off(conn: libvirt.virConnect, uuid: UUID) -> None:
    """Pull the plug. A transient domain is gone after that."""
    with domain_of(conn, uuid, "force off {}") as domain:
        domain.destroy()


@verb(deadline_s=CHANGE_S)
def pause(conn: libvirt.virConnect, uuid: UUID) -> None:
    """Stop its CPUs; memory stays."""
    with domain_of(conn, uuid, "pause {}") as domain:
        domain.suspend()


@verb(deadline_s=CHANGE_S)
def resume(conn: libvirt.virConnect, uuid: UUID) -> None:
    """Let its CPUs go on, or wake it when the guest itself sleeps."""
    with domain_of(conn, uuid, "resume {}") as domain:
        if domain.state()[0] == libvirt.VIR_DOMAIN_PMSUSPENDED:
            domain.pMWakeup(0)
        else:
            domain.resume()


@verb(deadline_s=600.0)
def save(conn: libvirt.virConnect, uuid: UUID) -> None:
    """Write its memory to the host's disk and stop it; its next start goes on there."""
    with domain_of(conn, uuid, "save {}") as domain:
        domain.managedSave(0)


@verb(deadline_s=CHANGE_S)
def set_autostart(conn: libvirt.virConnect, uuid: UUID, *, enabled: bool) -> None:
    """Whether it starts with its host."""
    with domain_of(conn, uuid, "set the autostart of {}") as domain:
        domain.setAutostart(int(enabled))
        _mention(domain)


def _mention(domain: libvirt.virDomain) -> None:
    """Have libvirt tell all who listen: it has no event for autostart.

    The title is written once more as it is, which it announces (virDomainSetMetadata).
    """
    kind, flags = libvirt.VIR_DOMAIN_METADATA_TITLE, libvirt.VIR_DOMAIN_AFFECT_CONFIG
    with suppress(libvirt.libvirtError):  # who looks now and then sees it anyway
        domain.setMetadata(kind, _title(domain), None, None, flags)


def _title(domain: libvirt.virDomain) -> str | None:
    kind, flags = libvirt.VIR_DOMAIN_METADATA_TITLE, libvirt.VIR_DOMAIN_AFFECT_CONFIG
    try:
        return str(domain.metadata(kind, None, flags))
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN_METADATA:
            raise
        return None


@verb(deadline_s=CHANGE_S)
def define(conn: libvirt.virConnect, xml: str) -> UUID:
    """Make this document what the domain is from its next start on; its UUID.

    Raises Invalid for numbers a host would die of and for what it does not accept.
    """
    document = Domain.parse(xml)
    check_ranges(document)
    with explaining(f"define {document.name}"):
        return UUID(bytes=conn.defineXML(xml).UUID())


@verb(deadline_s=CHANGE_S)
def create(conn: libvirt.virConnect, xml: str) -> UUID:
    """Start a transient domain, gone once it stops; its UUID. Raises Invalid too."""
    document = Domain.parse(xml)
    check_ranges(document)
    with explaining(f"start {document.name}"):
        return UUID(bytes=conn.createXML(xml, 0).UUID())


@verb(deadline_s=DESTROY_S)
def undefine(conn: libvirt.virConnect, uuid: UUID) -> None:
    """Forget the domain with all that libvirt keeps for it; its disks stay.

    One that runs goes on as transient.
    """
    with domain_of(conn, uuid, "delete {}") as domain:
        for count in range(len(_UNDEFINE_ALL), -1, -1):
            try:
                domain.undefineFlags(sum(_UNDEFINE_ALL[:count]))
            except libvirt.libvirtError as error:
                if count and error.get_error_code() in _UNKNOWN_FLAG:
                    continue  # an older libvirt, or another driver
                raise
            return


@verb(deadline_s=READ_S)
def job(conn: libvirt.virConnect, uuid: UUID) -> JobFacts | None:
    """The long job that runs on the domain (save, dump, migration), if one does."""
    with domain_of(conn, uuid, "ask for the job of {}") as domain:
        told = domain.jobStats()
    if told.get("type", libvirt.VIR_DOMAIN_JOB_NONE) == libvirt.VIR_DOMAIN_JOB_NONE:
        return None
    return JobFacts(
        kind=_JOBS.get(told.get("operation", 0), ""),
        elapsed_ms=told.get("time_elapsed", 0),
        remaining_ms=told.get("time_remaining"),
        total_bytes=told.get("data_total", 0),
        processed_bytes=told.get("data_processed", 0),
        remaining_bytes=told.get("data_remaining", 0),
    )


@verb(deadline_s=DESTROY_S)
def abort_job(conn: libvirt.virConnect, uuid: UUID) -> None:
    """Ask the running job to stop; the call that started it then fails."""
    with domain_of(conn, uuid, "stop the job of {}") as domain:
        domain.abortJob()


@verb(deadline_s=READ_S)
def set_vnc_password(
    conn: libvirt.virConnect, uuid: UUID, password: str, valid_until: datetime
) -> None:
    """Open the running domain's VNC screen to this password until then.

    VNC looks at the first 8 characters. Who is connected stays so. Raises Unsupported
    when the domain has no VNC screen, or one that was started without any password.
    """
    with domain_of(conn, uuid, "set a password for the screen of {}") as domain:
        screens = Domain.parse(domain.XMLDesc(0)).graphics
        name = domain.name()
        for graphics in screens:
            if graphics.type == "vnc":
                screen = _Screen(graphics.element)
                screen.password = password
                screen.valid_to = valid_until.astimezone(UTC).strftime(
                    "%Y-%m-%dT%H:%M:%S"
                )
                screen.connected = "keep"
                _update_screen(domain, name, screen)
                return
    raise Unsupported(f"{name} has no VNC screen.")


@verb(deadline_s=READ_S)
def send_key(
    conn: libvirt.virConnect, uuid: UUID, keys: Sequence[int], *, hold_ms: int = 50
) -> None:
    """Press these keys (Linux input codes) together, then let them go."""
    with domain_of(conn, uuid, "send keys to {}") as domain:
        codes = list(keys)
        domain.sendKey(libvirt.VIR_KEYCODE_SET_LINUX, hold_ms, codes, len(codes), 0)


@contextmanager
def domain_of(
    conn: libvirt.virConnect, uuid: UUID, doing: str
) -> Iterator[libvirt.virDomain]:
    """The domain, with what goes wrong in the block explained by `doing`."""
    domain = _find(conn, uuid)
    with explaining(doing.format(domain.name())):
        yield domain


def _find(conn: libvirt.virConnect, uuid: UUID) -> libvirt.virDomain:
    with explaining(f"find the guest {uuid}"):
        return conn.lookupByUUIDString(str(uuid))


def _agent_first(ask: Callable[[int], object], *, agent: int, acpi: int) -> Means:
    try:
        ask(agent)
    except libvirt.libvirtError as error:
        if error.get_error_code() not in _NOT_BY_THE_AGENT:
            raise
    else:
        return Means.AGENT
    try:
        ask(acpi)
    except libvirt.libvirtError as error:
        if error.get_error_code() not in _UNKNOWN_FLAG:
            raise
        ask(0)  # a driver that knows one way only
    return Means.ACPI


def _update_screen(domain: libvirt.virDomain, name: str, screen: _Screen) -> None:
    try:
        domain.updateDeviceFlags(str(screen), libvirt.VIR_DOMAIN_AFFECT_LIVE)
    except libvirt.libvirtError as error:
        if "password" not in str(error.get_error_message()):
            raise
        raise Unsupported(
            f"The screen of {name} was started without any password.",
            hint="Give its screen a password in its document, then start it anew.",
        ) from error
