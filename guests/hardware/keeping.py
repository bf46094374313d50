"""A document in place of another one of the same guest: what is kept all the same. Pure."""

from guests.hardware.parts import copied, source_of
from kvmweb.virt.xml.devices import GuardedScreen
from kvmweb.virt.xml.domain import Domain


def instead(xml: str, before: str) -> str:
    """The document with the passwords of screens that nobody reads back.

    What people see of a document has none; without this each edit would lose them.
    Raises Invalid for what is no document.
    """
    doc, old = Domain.parse(xml), Domain.parse(before)
    unread = str(doc)
    _keep_passwords(doc, old)
    return xml if str(doc) == unread else str(doc)


def again(xml: str, before: str) -> str:
    """An earlier version as one of today: with today's name, passwords and labels."""
    doc, old = Domain.parse(xml), Domain.parse(before)
    doc.name = old.name
    doc.ours = copied(old.ours) if old.ours is not None else None
    _keep_passwords(doc, old)
    return str(doc)


def needs(xml: str) -> tuple[dict[str, bool], list[str]]:
    """Where its disks lie (and whether each is only read), and its cards' networks."""
    doc = Domain.parse(xml)
    sources = {
        source_of(disk): disk.readonly or disk.device == "cdrom"
        for disk in doc.disks
        if disk.type != "network" and source_of(disk)
    }
    return sources, list(dict.fromkeys(nic.network for nic in doc.nics if nic.network))


def _keep_passwords(doc: Domain, old: Domain) -> None:
    known = {each.type: GuardedScreen(each.element) for each in old.graphics}
    for each in doc.graphics:
        screen, was = GuardedScreen(each.element), known.get(each.type)
        if was is None or not was.password or "passwd" in each.element.attrib:
            continue
        screen.password = was.password
        screen.valid_to = was.valid_to or None
