"""What a host says of a domain, as the columns of a guest can hold it.

Whatever a document holds, this gives values that every database takes.
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from guests.hardware.differences import differences
from hosts.columns import BIG, as_json, number, text
from kvmweb.errors import Invalid
from kvmweb.virt.types import DomainFacts, DomainState
from kvmweb.virt.xml.devices import Disk
from kvmweb.virt.xml.document import LIMIT_CHARS
from kvmweb.virt.xml.domain import Domain

_DEVICES = 512  # of one kind that are kept
_TEXT = 16 * 1024
_WORD = 4096

ACTIVE = frozenset(
    {
        DomainState.RUNNING,
        DomainState.PAUSED,
        DomainState.SHUTTING_DOWN,
        DomainState.SUSPENDED,
    }
)
_MOVING = {"migration", "starting up", "postcopy"}  # libvirt's words for a paused end


@dataclass(frozen=True, slots=True)
class Sighting:
    """A guest as one host has it: columns of Guest, and its documents."""

    columns: dict[str, Any]
    xml: str
    inactive_xml: str
    moving: bool  # one end of a migration

    @property
    def active(self) -> bool:
        """Whether it runs there, in the widest sense."""
        return self.columns["state"] in ACTIVE and not self.moving


def sighting(facts: DomainFacts) -> Sighting:
    """The columns for these facts, without those that need the documents read."""
    xml, inactive_xml = _document(facts.xml), _document(facts.inactive_xml)
    columns = {
        **_words(facts),
        **_devices(facts),
        "state": facts.state.value,
        "persistent": facts.persistent,
        "autostart": facts.autostart,
        "managed_save": facts.managed_save,
        "vcpus": number(facts.vcpus, BIG),
        "vcpus_max": number(facts.vcpus_max, BIG),
        "memory_bytes": number(facts.memory_bytes),
        "memory_max_bytes": number(facts.memory_max_bytes),
        "serial": facts.serial,
        "agent": facts.agent,
        "snapshots": number(facts.snapshots, BIG),
        "started_at": facts.started_at,
        "xml_digest": digest(xml, inactive_xml),
    }
    moving = facts.state == DomainState.PAUSED and facts.reason in _MOVING
    return Sighting(columns, xml, inactive_xml, moving)


def documented(seen: Sighting) -> dict[str, Any]:
    """The columns that need both documents read: what it uses, whether they differ."""
    both = [_read(seen.xml), _read(seen.inactive_xml)]
    uses = {use for each in both if each for use in _uses(each)}
    present, future = both
    differs = False
    if present and future and seen.columns["state"] in ACTIVE:
        differs = any(differences(present, future, running=True))
    return {"uses": sorted(uses)[: _DEVICES * 2], "differs": differs}


def digest(*texts: str) -> str:
    """One fixed word for these texts; another word for any others."""
    return sha256("\0".join(texts).encode("utf-8", "replace")).hexdigest()


def _words(facts: DomainFacts) -> dict[str, Any]:
    return {
        "name": text(facts.name, 255),
        "state_reason": text(facts.reason, 64),
        "virt_type": text(facts.virt_type, 16),
        "os": text(facts.os, 255),
        "firmware": text(facts.firmware, 16),
        "machine": text(facts.machine, 64),
        "arch": text(facts.arch, 32),
        "title": text(facts.title, 255),
        "description": text(facts.description, _TEXT),
        "problem": text(facts.problem, _TEXT),
    }


def _devices(facts: DomainFacts) -> dict[str, Any]:
    return {
        "disks": _clipped(as_json(facts.disks[:_DEVICES])),
        "nics": _clipped(as_json(facts.nics[:_DEVICES])),
        "graphics": _clipped(as_json(facts.graphics[:_DEVICES])),
        "addresses": _addresses(facts),
    }


def _clipped(value: Any) -> Any:
    """The same JSON with texts of bearable length."""
    if isinstance(value, str):
        return value[:_WORD]
    if isinstance(value, list):
        return [_clipped(each) for each in value]
    if isinstance(value, dict):
        return {key: _clipped(each) for key, each in value.items()}
    return value


def _addresses(facts: DomainFacts) -> str:
    """Each once, between spaces; what one reaches a guest by comes first."""
    told = [text(a.address, 64) for nic in facts.nics[:_DEVICES] for a in nic.addresses]
    plain = dict.fromkeys(each for each in told if each and not each.split()[1:])
    ordered = sorted(plain, key=lambda it: (it.lower().startswith("fe80:"), ":" in it))
    return f" {' '.join(ordered[:_DEVICES])} " if ordered else ""


def _document(xml: str) -> str:
    return text(xml) if len(xml) <= LIMIT_CHARS else ""


def _read(xml: str) -> Domain | None:
    try:
        return Domain.parse(xml, recover=True) if xml else None
    except Invalid:
        return None


def _uses(document: Domain) -> list[str]:
    """Every path and every "pool/volume" that a domain opens when it starts."""
    machine = document.os
    files = [machine.kernel, machine.initrd, machine.nvram] if machine else []
    found = [*files, *(_source(disk) for disk in document.disks)]
    return [text(each, _WORD) for each in found if each]


def _source(disk: Disk) -> str:
    if disk.pool and disk.volume:
        return f"{disk.pool}/{disk.volume}"
    return disk.file or disk.dev or disk.dir
