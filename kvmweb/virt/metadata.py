"""Verbs that write words about a domain into its own document, at once and for later."""

from collections.abc import Sequence
from uuid import UUID

import libvirt

from kvmweb.virt.connection import CHANGE_S, verb
from kvmweb.virt.errors import explaining
from kvmweb.virt.xml.document import Many, Node, Text
from kvmweb.virt.xml.domain import OURS

_PREFIX = "kvmweb"


class _Tag(Node):
    tag = "tag"
    name = Text(".")


class _Label(Node):
    """What libvirt puts into our namespace, so here it has none."""

    tag = "guest"
    owner = Text("@owner")
    project = Text("@project")
    tags = Many(_Tag)


@verb(deadline_s=CHANGE_S)
def describe(
    conn: libvirt.virConnect,
    uuid: UUID,
    *,
    title: str | None = None,
    description: str | None = None,
) -> None:
    """Set its title and description; None leaves one as it is, "" takes it away."""
    if title is not None:
        _write(conn, uuid, libvirt.VIR_DOMAIN_METADATA_TITLE, title)
    if description is not None:
        _write(conn, uuid, libvirt.VIR_DOMAIN_METADATA_DESCRIPTION, description)


@verb(deadline_s=CHANGE_S)
def label(
    conn: libvirt.virConnect,
    uuid: UUID,
    *,
    owner: str,
    tags: Sequence[str],
    project: str = "",
) -> None:
    """Write a copy of whose it is into its metadata; nobody believes it there."""
    told = _Label.make(owner=owner or None, project=project or None)
    for each in tags:
        told.tags.add(_Tag.make(name=each))
    text = str(told) if owner or tags or project else ""
    _write(conn, uuid, libvirt.VIR_DOMAIN_METADATA_ELEMENT, text, _PREFIX, OURS)


def _write(
    conn: libvirt.virConnect,
    uuid: UUID,
    kind: int,
    text: str,
    *namespace: str,
) -> None:
    with explaining(f"find the guest {uuid}"):
        domain = conn.lookupByUUIDString(str(uuid))
    flags = 0
    if domain.isActive():
        flags |= libvirt.VIR_DOMAIN_AFFECT_LIVE
    if domain.isPersistent():
        flags |= libvirt.VIR_DOMAIN_AFFECT_CONFIG
    key, uri = namespace or (None, None)
    with explaining(f"describe {domain.name()}"):
        domain.setMetadata(kind, text or None, key, uri, flags)
