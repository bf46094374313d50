"""Verbs that change a domain's hardware: what runs, what it starts with next, or both.

    before = host.run(changes.documents, uuid)
    doc = Domain.parse(before.config)
    doc.vcpus = 4
    host.run(changes.define, str(doc), uuid=uuid, before=before.config)

Numbers are checked before any document reaches libvirt, which dies of some of them.
"""

import time
from collections.abc import Collection
from dataclasses import dataclass, field
from uuid import UUID

import libvirt
from lxml import etree

from kvmweb.errors import Conflict, Forbidden, Invalid
from kvmweb.sizes import amount
from kvmweb.virt.connection import CHANGE_S, READ_S, verb
from kvmweb.virt.domains import domain_of
from kvmweb.virt.errors import explain, explaining
from kvmweb.virt.xml import beyond, ranges
from kvmweb.virt.xml.document import parse
from kvmweb.virt.xml.domain import Domain, check_ranges

DETACH_S = 15.0  # how long a guest has to let go of a device
_POLL_S = 0.1
_CONFIG = libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE
_KEYS = {  # what tells two devices of a kind apart, where they have no alias
    "disk": ("target", "dev"),
    "interface": ("mac", "address"),
}


class Changed(Conflict):
    """Somebody else changed the definition between our look at it and our writing."""

    code = "changed_meanwhile"


class Refused(Conflict):
    """The guest itself did not do its part."""

    code = "guest_refused"


@dataclass(frozen=True, slots=True)
class Documents:
    """A domain's two documents, with the passwords of its screens: not to be kept."""

    name: str
    live: str = field(repr=False)  # what runs; "" when it is off
    config: str = field(repr=False)  # what it starts with next; "" when transient
    plain: str = field(repr=False)  # the same without passwords, as people see it


@verb(deadline_s=READ_S)
def documents(conn: libvirt.virConnect, uuid: UUID) -> Documents:
    """What runs and what is defined, now. Raises NotFound."""
    with domain_of(conn, uuid, "read the documents of {}") as domain:
        live = config = plain = ""
        if domain.isActive():
            live = str(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_SECURE))
        if domain.isPersistent():
            config = str(domain.XMLDesc(_CONFIG))
            plain = str(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
        return Documents(str(domain.name()), live, config, plain)


@verb(deadline_s=CHANGE_S)
def define(  # noqa: PLR0913 - each a condition of its own
    conn: libvirt.virConnect,
    xml: str,
    *,
    uuid: UUID,
    before: str = "",
    strict: bool = True,
    allowed: Collection[str] | None = None,
    pools: Collection[str] = (),
) -> str:
    """Make this the definition of the domain; it, as libvirt gives it back.

    `before` is the definition it was made from: raises Changed when it is another by
    now. `strict` has libvirt check its schema, which not all documents of older tools
    pass. With `allowed`, what else is beyond ordinary fields (see `xml.beyond`, `pools`
    too) in what libvirt makes of it is undone, and raises Forbidden.
    Raises Invalid for numbers out of range, another UUID or name, and what libvirt does
    not accept.
    """
    document = Domain.parse(xml)
    check_ranges(document)
    with domain_of(conn, uuid, "define {}") as domain:
        there = str(domain.XMLDesc(_CONFIG))
        if before and there != before:
            raise Changed(f"{domain.name()} was changed by somebody else meanwhile.")
        need_same(document, uuid, str(domain.name()))
        _define(conn, xml, strict=strict)
        returned = str(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
        more = beyond.named(returned, pools).difference(allowed or ())
        if allowed is not None and more:
            _define(conn, there, strict=False)
            raise Forbidden(
                f"This was not defined, for it gives {domain.name()} what needs a right "
                f"of its own: {', '.join(sorted(more))}."
            )
        return returned


def need_same(document: Domain, uuid: UUID, name: str) -> None:
    """Nothing. Raises Invalid when the document is of another domain or name."""
    try:
        same = UUID(document.uuid.strip()) == uuid
    except ValueError:
        same = False
    if not same:
        sentence = f"The document must have the UUID {uuid}, as before."
        raise Invalid(sentence, errors={"uuid": [sentence]})
    if document.name != name:
        sentence = f"The document must have the name {name!r}, as before."
        hint = "Rename the guest by its form while it is off."
        raise Invalid(sentence, errors={"name": [sentence]}, hint=hint)


@verb(deadline_s=CHANGE_S)
def attach_device(
    conn: libvirt.virConnect, uuid: UUID, xml: str, *, live: bool, config: bool
) -> None:
    """Plug a device in: now, for its next starts, or both."""
    _check(xml)
    with domain_of(conn, uuid, "plug into {}") as domain:
        domain.attachDeviceFlags(xml, _flags(live=live, config=config))


@verb(deadline_s=CHANGE_S)
def update_device(
    conn: libvirt.virConnect,
    uuid: UUID,
    xml: str,
    *,
    live: bool,
    config: bool,
    force: bool = False,
) -> None:
    """Make a device be so; `force` takes a CD out though the guest holds the tray."""
    _check(xml)
    flags = _flags(live=live, config=config)
    flags |= libvirt.VIR_DOMAIN_DEVICE_MODIFY_FORCE if force else 0
    with domain_of(conn, uuid, "change a device of {}") as domain:
        domain.updateDeviceFlags(xml, flags)


@verb(deadline_s=CHANGE_S)
def detach_device(
    conn: libvirt.virConnect, uuid: UUID, xml: str, *, live: bool, config: bool
) -> None:
    """Pull a device out, and wait until it really is; one that is not there is fine.

    Raises Refused when the guest did not let go of it in time; it is still there then.
    """
    device = parse(xml)
    with domain_of(conn, uuid, "unplug from {}") as domain:
        if config and _there(domain, device, _CONFIG):
            domain.detachDeviceFlags(xml, libvirt.VIR_DOMAIN_AFFECT_CONFIG)
        if live and _there(domain, device, 0):
            _pull(domain, device, xml)


@verb(deadline_s=CHANGE_S)
def set_vcpus(
    conn: libvirt.virConnect,
    uuid: UUID,
    count: int,
    *,
    live: bool,
    config: bool,
    maximum: bool = False,
) -> None:
    """How many vCPUs it has; the `maximum` only for its next starts.

    Raises Refused when the guest does not give one back.
    """
    if not 1 <= count <= ranges.VCPUS:
        raise Invalid(f"A guest has from 1 to {ranges.VCPUS} vCPUs.")
    flags = _flags(live=live, config=config)
    flags |= libvirt.VIR_DOMAIN_VCPU_MAXIMUM if maximum else 0
    with domain_of(conn, uuid, "set the vCPUs of {}") as domain:
        try:
            domain.setVcpusFlags(count, flags)
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_OPERATION_TIMEOUT:
                raise
            raise Refused(f"{domain.name()} does not give back its vCPUs.") from error


@verb(deadline_s=CHANGE_S)
def set_memory(
    conn: libvirt.virConnect,
    uuid: UUID,
    memory_bytes: int,
    *,
    live: bool,
    config: bool,
    maximum: bool = False,
) -> None:
    """How much memory it is to use (by its balloon, while it runs), or may at most."""
    if not 1 <= memory_bytes <= ranges.MEMORY:
        raise Invalid(f"A guest has from 1 to {ranges.MEMORY} bytes of memory.")
    flags = _flags(live=live, config=config)
    flags |= libvirt.VIR_DOMAIN_MEM_MAXIMUM if maximum else 0
    with domain_of(conn, uuid, "set the memory of {}") as domain:
        domain.setMemoryFlags(memory_bytes // 1024, flags)


@verb(deadline_s=CHANGE_S)
def resize_disk(
    conn: libvirt.virConnect, uuid: UUID, target: str, capacity_bytes: int
) -> None:
    """Grow a disk of the running domain, which sees it at once.

    Raises Invalid when it would shrink.
    """
    with domain_of(conn, uuid, f"grow {target} of {{}}") as domain:
        now = int(domain.blockInfo(target)[0])
        if capacity_bytes < now:
            raise Invalid(f"{target} has {amount(now)} already; a disk never shrinks.")
        if capacity_bytes > now:
            flags = libvirt.VIR_DOMAIN_BLOCK_RESIZE_BYTES
            domain.blockResize(target, capacity_bytes, flags)


@verb(deadline_s=CHANGE_S)
def rename(conn: libvirt.virConnect, uuid: UUID, name: str) -> None:
    """Give the domain, which must be off, another name."""
    with domain_of(conn, uuid, "rename {}") as domain:
        if domain.name() != name:
            domain.rename(name)


def _flags(*, live: bool, config: bool) -> int:
    flags = libvirt.VIR_DOMAIN_AFFECT_LIVE if live else 0
    return flags | (libvirt.VIR_DOMAIN_AFFECT_CONFIG if config else 0)


def _check(device_xml: str) -> None:
    """Refuse numbers that a host would die of, in a device by itself."""
    domain = etree.Element("domain")
    etree.SubElement(domain, "devices").append(parse(device_xml))
    ranges.check(domain)


def _define(conn: libvirt.virConnect, xml: str, *, strict: bool) -> None:
    try:
        conn.defineXMLFlags(xml, libvirt.VIR_DOMAIN_DEFINE_VALIDATE)
    except libvirt.libvirtError as error:
        schema = libvirt.VIR_ERR_XML_INVALID_SCHEMA
        if strict or error.get_error_code() != schema:
            raise
        conn.defineXML(xml)


def _pull(domain: libvirt.virDomain, device: etree._Element, xml: str) -> None:
    until = time.monotonic() + DETACH_S
    try:
        domain.detachDeviceFlags(xml, libvirt.VIR_DOMAIN_AFFECT_LIVE)
    except libvirt.libvirtError as error:
        if _there(domain, device, 0):
            raise _refusal(domain, error) from error
        return
    while _there(domain, device, 0):
        if time.monotonic() > until:
            raise Refused(
                f"{domain.name()} did not let go of the device within {DETACH_S:g} s; it "
                "is still plugged in.",
                hint="It may be in use there, or the guest not up. Try again, or ask for "
                "it to be taken out at its next start.",
            )
        time.sleep(_POLL_S)


def _refusal(domain: libvirt.virDomain, error: libvirt.libvirtError) -> Exception:
    """What was wrong, where the guest or libvirt said so at once."""
    text = str(error.get_error_message() or "")
    if "rejected by the guest" in text or "in the process of unplug" in text:
        return Refused(
            f"{domain.name()} does not let go of the device; it is still plugged in.",
            hint="It may be in use there. Ask for it to be taken out at its next start.",
        )
    return explain(error, f"unplug from {domain.name()}")


def _there(domain: libvirt.virDomain, device: etree._Element, flags: int) -> bool:
    """Whether the domain has this device: by alias, else by its key, else as it is."""
    with explaining(f"look at the devices of {domain.name()}"):
        root = parse(domain.XMLDesc(flags))
    mine = _identity(device, runs=not flags)
    found = root.findall(f"devices/{device.tag}")
    return any(_identity(each, runs=not flags) == mine for each in found)


def _identity(device: etree._Element, *, runs: bool) -> str:
    alias = device.find("alias")
    if alias is not None and runs:
        return alias.get("name") or ""
    if device.tag in _KEYS:
        child, attribute = _KEYS[str(device.tag)]
        found = device.find(child)
        return str(found.get(attribute)).lower() if found is not None else ""
    source = device.find("source")
    place = device if source is None else source
    return "".join(etree.tostring(place, method="c14n").decode().split())
