"""What the page of one guest reads beside its row."""

import difflib
import itertools
from collections.abc import Iterable

from django.db.models import QuerySet

from guests.hardware.differences import changes_between
from guests.models import Document, Guest, Happening, Revision
from guests.queries import Volumes
from kvmweb.accounts.gate import Right, may, sees_all
from kvmweb.accounts.models import User
from kvmweb.errors import NotFound
from kvmweb.operations import queries as operation_queries
from kvmweb.operations.models import Operation

_LAST = 20
_REMEMBERED = 5000
_known_changes: dict[tuple[str, str], list[str]] = {}  # by the digests of two versions
_DIFF_CHARS = 256 * 1024  # longer documents are not compared on a page


def shown(guest: Guest, user: User) -> Guest:
    """The same row as its page may show it: with volumes, and without what is hidden.

    It is not to be saved. One query.
    """
    volumes = Volumes([guest])
    for disk in guest.disks:
        if place := volumes.find(guest.host_id, disk):
            disk |= {
                "pool": place.pool,
                "volume": place.volume,
                "path": place.path,
                "capacity_bytes": place.capacity_bytes,
            }
    if not sees_all(user):
        guest.host = None
        guest.problem = ""
        guest.disks = [disk | {"path": ""} for disk in guest.disks]
    return guest


def operations(guest: Guest, user: User) -> list[Operation]:
    """The last 20 on it that this person may see."""
    filters = operation_queries.Filters(guest=guest.pk)
    rows = operation_queries.listing(user, filters)[:_LAST]
    return operation_queries.for_page(user, rows)


def happenings(guest: Guest, user: User) -> list[Happening]:
    """What befell it last; without hosts for those who see none."""
    found = list(guest.happenings.all()[: 2 * _LAST])
    if not sees_all(user):
        for each in found:
            each.detail = ""
    return found


def revisions(guest: Guest) -> QuerySet[Revision]:
    """Every version of its document, the newest first."""
    return guest.revisions.order_by("-number")


def versions(guest: Guest, user: User) -> list[Revision]:
    """The last 20 versions with `changes` in words; none for who sees no XML."""
    if not may(user, Right.SEE_XML):
        return []
    return with_changes(list(revisions(guest)[: _LAST + 1]))[:_LAST]


def with_changes(newest_first: list[Revision]) -> list[Revision]:
    """The same versions, each but the last with what it changed since the one before."""
    for newer, older in itertools.pairwise(newest_first):
        newer.changes = _changes(older, newer)
    return newest_first


def explained(guest: Guest, versions: list[Revision]) -> list[Revision]:
    """The same versions, in any order, with `changes` in words. One query."""
    known = {each.number: each for each in versions}
    wanted = {number - 1 for number in known} - set(known)
    for row in guest.revisions.filter(number__in=wanted):
        known[row.number] = row
    for each in versions:
        if before := known.get(each.number - 1):
            each.changes = _changes(before, each)
    return versions


def since(version: Revision) -> Revision:
    """The same version with `changes` and `diff` since the one before it. One query."""
    rows = Revision.objects.filter(guest=version.guest_id, number__lt=version.number)
    before = rows.order_by("-number").first()
    if before is not None:
        with_changes([version, before])
        version.diff = diff_of(before.xml, version.xml)
    return version


def document(guest: Guest, *, inactive: bool) -> str:
    """The XML of what runs or is defined, or of what it starts with next.

    Raises NotFound when no host told it.
    """
    found = Document.objects.filter(pk=guest.pk).first()
    text = (found.inactive_xml if inactive else found.xml) if found else ""
    if not text:
        raise NotFound(f"No such document of {guest.name} is known.")
    return text


def _changes(older: Revision, newer: Revision) -> list[str]:
    """What changed, in words; versions never change, so it is worked out once."""
    key = (older.digest, newer.digest)
    known = _known_changes.get(key)
    if known is None:
        if len(_known_changes) > _REMEMBERED:
            _known_changes.clear()
        known = _known_changes[key] = changes_between(older.xml, newer.xml)
    return known


def diff_of(before: str, after: str) -> str:
    """What changed between two documents, line by line."""
    if max(len(before), len(after)) > _DIFF_CHARS:
        return "The documents are too long to be compared here."
    lines: Iterable[str] = difflib.unified_diff(
        before.splitlines(), after.splitlines(), lineterm="", n=2
    )
    return "\n".join(list(lines)[2:])
