"""What pages and forms of a guest's hardware read beside its row."""

from dataclasses import dataclass, field

from django.db.models import Q

from guests.hardware.parts import boot_order, find_disk, find_nic
from guests.models import Document, Guest
from hosts.models import Network, NetworkFilter, Pool, Volume
from hosts.storage import holdings
from kvmweb.accounts.models import User
from kvmweb.errors import Invalid
from kvmweb.virt.types import DomainState
from kvmweb.virt.xml.devices import Disk, Nic
from kvmweb.virt.xml.domain import Domain

_CHOICES = 500  # of volumes; a longer list is no help


@dataclass(frozen=True, slots=True)
class Details:
    """What a guest's definition says that its row does not."""

    cpu: str = ""
    topology: str = ""
    boot: list[str] = field(default_factory=list)
    boot_menu: bool = False
    balloon: str = ""
    tpm: str = ""
    watchdog: str = ""
    videos: list[str] = field(default_factory=list)
    devices: int = 0
    directories: list[str] = field(default_factory=list)
    modules: int = 0  # of memory, plugged in


def definition(guest: Guest) -> Domain | None:
    """What it starts with next, or what runs of a transient one; None: nobody knows."""
    row = Document.objects.filter(pk=guest.pk).first()
    text = (row.inactive_xml or row.xml) if row else ""
    try:
        return Domain.parse(text, recover=True) if text else None
    except Invalid:
        return None


def details(doc: Domain | None) -> Details:
    """A definition in words."""
    if doc is None:
        return Details()
    shape = (doc.cpu_sockets, doc.cpu_cores, doc.cpu_threads)
    return Details(
        cpu=cpu_of(doc),
        topology=" × ".join(str(it or 1) for it in shape) if doc.cpu_sockets else "",
        boot=boot_order(doc),
        boot_menu=bool(doc.os and doc.os.boot_menu),
        balloon=doc.balloon,
        tpm=next((it.version or it.model for it in doc.tpms), ""),
        watchdog=next((it.action for it in doc.watchdogs), ""),
        videos=[it.model for it in doc.videos],
        devices=len(doc.hostdevs),
        directories=[it.target for it in doc.filesystems],
        modules=len(doc.memory_devices),
    )


def cpu_of(doc: Domain) -> str:
    """Its processor as a wish says it."""
    return doc.cpu_model if doc.cpu_mode in {"custom", ""} else doc.cpu_mode


def disk(guest: Guest, target: str) -> Disk | None:
    """One of its disks, as it is defined."""
    doc = definition(guest)
    return find_disk(doc, target) if doc is not None else None


def nic(guest: Guest, mac: str) -> Nic | None:
    """One of its network cards, as it is defined."""
    doc = definition(guest)
    return find_nic(doc, mac) if doc is not None else None


def free_volumes(guest: Guest, user: User) -> list[Volume]:
    """Ready volumes of its host that no guest there uses, by name. Four queries."""
    if guest.host is None:
        return []
    used: set[str] = set()
    rows = Guest.objects.filter(host=guest.host).exclude(state=DomainState.GONE)
    for uses in rows.values_list("uses", flat=True):
        used |= set(uses)
    found = holdings.choosable(user, guest.host).filter(pool__active=True)
    ready = found.exclude(name__iendswith=".iso").order_by("pool__name", "name")
    below = set(ready.exclude(backing_path="").values_list("backing_path", flat=True))
    free = (
        row
        for row in ready
        if row.path not in used | below and f"{row.pool.name}/{row.name}" not in used
    )
    return [row for _, row in zip(range(_CHOICES), free, strict=False)]


def media(guest: Guest, user: User) -> list[Volume]:
    """Volumes of its host that are CDs, by name."""
    if guest.host is None:
        return []
    rows = holdings.choosable(user, guest.host).filter(pool__active=True)
    cds = rows.filter(Q(name__iendswith=".iso") | Q(format="iso"))
    return list(cds.order_by("name")[:_CHOICES])


def pools(guest: Guest) -> list[Pool]:
    """The active pools of its host, the roomiest first."""
    rows = Pool.objects.filter(host=guest.host, active=True)
    return list(rows.order_by("-available_bytes"))


def networks(guest: Guest) -> list[Network]:
    """The active networks of its host."""
    return list(Network.objects.filter(host=guest.host, active=True).order_by("name"))


def filters(guest: Guest) -> list[str]:
    """The packet filters of its host."""
    rows = NetworkFilter.objects.filter(host=guest.host).order_by("name")
    return list(rows.values_list("name", flat=True))
