"""Going back, and forth: pending changes revoked, versions restored, XML written by hand."""

from dataclasses import dataclass
from typing import Any

from guests.columns import digest
from guests.hardware import choosing
from guests.hardware.checks import need_persistent
from guests.hardware.differences import pending
from guests.hardware.keeping import needs
from guests.models import Document, Guest, Revision
from guests.reading import diff_of
from guests.services import need_changeable, submit_for
from hosts.models import Network, Pool, Volume
from hosts.storage import holdings
from hosts.vault import seal_text
from kvmweb.accounts.gate import Right, may, need
from kvmweb.accounts.models import User
from kvmweb.errors import Conflict, Forbidden, NotFound
from kvmweb.operations.models import Operation
from kvmweb.virt.changes import need_same
from kvmweb.virt.xml import beyond
from kvmweb.virt.xml.domain import Domain, check_ranges


@dataclass(frozen=True, slots=True)
class Pending:
    """What a running guest will be otherwise at its next start."""

    changes: list[str]
    diff: str

    @property
    def differs(self) -> bool:
        """Whether there is anything."""
        return bool(self.changes)


def pending_of(guest: Guest) -> Pending:
    """What waits for its next start; nothing while it is off. Two queries."""
    row = Document.objects.filter(pk=guest.pk).first()
    if row is None or not row.inactive_xml or row.xml == row.inactive_xml:
        return Pending([], "")
    told = pending(row.xml, row.inactive_xml, sizes(guest, row.inactive_xml))
    return Pending(told, diff_of(row.xml, row.inactive_xml) if told else "")


def sizes(guest: Guest, *texts: str) -> dict[str, int]:
    """How large the volumes are that these documents name, by path and by pool/name."""
    sources = {source for text in texts if text for source in needs(text)[0]}
    names = {source.rpartition("/")[2] for source in sources}
    rows = Volume.objects.filter(pool__host=guest.host, name__in=names)
    found: dict[str, int] = {}
    for path, pool, name, size in rows.values_list(
        "path", "pool__name", "name", "capacity_bytes"
    ):
        found |= {path: size, f"{pool}/{name}": size}
    return found


def revoke(guest: Guest, *, by: User, address: str = "") -> Operation:
    """Make its definition say again what runs. Raises Conflict when nothing waits."""
    need_changeable(guest, by)
    if not pending_of(guest).differs:
        raise Conflict(f"{guest.name} runs as it is defined: nothing is to be revoked.")
    return submit_for("guest.revoke", guest, by, address)


def revision(guest: Guest, number: int) -> Revision:
    """This version of it. Raises NotFound."""
    rows = guest.revisions.filter(number=number) if 0 < number < 2**31 else None
    found = rows.first() if rows is not None else None
    if found is None:
        raise NotFound(f"{guest.name} has no version {number}.")
    return found


def restore(guest: Guest, number: int, *, by: User, address: str = "") -> Operation:
    """Define a former version again; what runs goes on as it is until its next start.

    Raises NotFound, Conflict when it cannot fit any more: volumes or networks are gone;
    Forbidden when it brings back what needs a right of its own.
    """
    wanted = revision(guest, number)
    need_changeable(guest, by)
    need_persistent(guest)
    if reasons := why_not(guest, wanted):
        raise Conflict(f"Version {number} cannot be restored: {' '.join(reasons)}")
    now = current(guest)
    more = _more(guest, wanted.xml, now, by)
    params = {"number": number, "digest": digest(wanted.xml), "allowed": more}
    return submit_for("guest.restore", guest, by, address, params)


def why_not(guest: Guest, wanted: Revision) -> list[str]:
    """Why a version cannot be what it starts with next, as sentences."""
    sources, networks = needs(wanted.xml)
    there = set(Network.objects.filter(host=guest.host).values_list("name", flat=True))
    reasons = [
        f"The network {name} is not there any more."
        for name in networks
        if name not in there
    ]
    return [*_lost(guest, sources), *reasons]


def define(
    guest: Guest, xml: str, *, edited: str = "", by: User, address: str = ""
) -> Operation:
    """Make this document what it starts with next, as an administrator wrote it.

    `edited` is the digest of the version that it was made from.
    Raises Invalid for what is no document of this guest or out of range, Conflict when
    somebody changed it meanwhile, Forbidden for what needs a right of its own.
    """
    need(by, Right.EDIT_XML)
    checked(guest, xml)
    need_changeable(guest, by)
    need_persistent(guest)
    now = current(guest)
    if edited and edited != digest(now):
        raise Conflict(
            f"{guest.name} was changed by somebody else meanwhile.",
            hint="Load its document again and repeat your change.",
        )
    params = {
        "xml": seal_text(xml),  # it may hold a password
        "digest": edited,
        "allowed": _more(guest, xml, now, by),
    }
    return submit_for("guest.define", guest, by, address, params)


def checked(guest: Guest, xml: str) -> None:
    """Nothing. Raises Invalid for what no document of this guest can be."""
    document = Domain.parse(xml)
    check_ranges(document)
    need_same(document, guest.pk, guest.name)


def current(guest: Guest) -> str:
    """The document it starts with next. Raises NotFound when no host told it."""
    row = Document.objects.filter(pk=guest.pk).first()
    text = (row.inactive_xml or row.xml) if row else ""
    if not text:
        raise NotFound(f"No document of {guest.name} is known.")
    return text


def extras(guest: Guest, xml: str, now: str) -> list[str]:
    """What the new document has beyond ordinary fields, and the present one has not."""
    folders = pools(guest)
    return sorted(beyond.named(xml, folders) - beyond.named(now, folders))


def pools(guest: Guest) -> list[str]:
    """The directories of its host's pools: what lies there is ordinary."""
    rows = Pool.objects.filter(host=guest.host, target__startswith="/")
    return list(rows.values_list("target", flat=True))


def _more(guest: Guest, xml: str, now: str, by: User) -> dict[str, Any] | None:
    """What the host's answer may hold; None for who may write anything.

    Raises Forbidden naming what this person may not give to a guest.
    """
    if may(by, Right.HOST_DEVICES):
        return None
    if more := extras(guest, xml, now):
        raise Forbidden(
            f"This gives {guest.name} what needs a right of its own: {', '.join(more)}."
        )
    folders = pools(guest)
    return {"named": sorted(beyond.named(now, folders)), "pools": folders}


def _lost(guest: Guest, sources: dict[str, bool]) -> list[str]:
    """What is wrong with the volumes of a version, each as a sentence."""
    host = choosing.home(guest)
    volumes = Volume.objects.filter(pool__host=host).select_related("pool__host")
    known = {row.path: row for row in volumes}
    known |= {f"{row.pool.name}/{row.name}": row for row in known.values()}
    folders = [folder.rstrip("/") + "/" for folder in pools(guest)]
    mine, found = set(guest.uses), []
    for source, readonly in sources.items():
        row = known.get(source)
        if row is None:
            gone = not source.startswith("/") or source.startswith(tuple(folders))
            if gone and source not in mine:
                found.append(f"The volume {source} is not there any more.")
        elif (held := holdings.held(row)) is not None:
            found.append(f"The volume {source} is in the state “{held.state}”.")
        else:
            found += _others(guest, row.path, readonly=readonly)
    return found


def _others(guest: Guest, path: str, *, readonly: bool) -> list[str]:
    try:
        choosing.need_unused(guest, path, readonly=readonly)
    except Conflict as error:
        return [error.detail]
    return []
