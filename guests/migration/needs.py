"""What guests that may be moved need of a host, from their rows. Fixed queries."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Q

from guests.migration.sides import DiskAt, Needs, NicAt
from guests.models import Document, Guest, Twin
from guests.queries import active_operations
from hosts.models import Volume
from kvmweb.errors import Invalid
from kvmweb.operations.models import Operation
from kvmweb.operations.registry import label_of
from kvmweb.virt.types import DomainState
from kvmweb.virt.xml.devices import Disk
from kvmweb.virt.xml.domain import Domain

_BELOW = 4  # backing files that are followed
_ON = (DomainState.RUNNING, DomainState.PAUSED)
_READY_MADE = {"cdrom", "floppy"}


def needs_of(
    guests: Sequence[Guest], *, live: bool | None, besides: Operation | None = None
) -> dict[UUID, Needs]:
    """What each needs. At most eight queries.

    `live` as in `questions.checks`; `besides` is an operation that is no hindrance.
    """
    told = _Told(guests, besides)
    return {guest.pk: told.needs(guest, live) for guest in guests}


@dataclass(frozen=True, slots=True)
class _Piece:
    """A volume: where it lies, how large it is, what is below it."""

    pool: str
    path: str
    capacity_bytes: int
    allocation_bytes: int
    below: str


class _Told:
    """What rows say of these guests, read at once."""

    def __init__(self, guests: Sequence[Guest], besides: Operation | None) -> None:
        uuids = [guest.pk for guest in guests]
        self._volumes = _Volumes(guests)
        rows = Document.objects.filter(guest__in=uuids)
        self._documents = dict(rows.values_list("guest", "xml"))
        self._busy = {
            uuid: label_of(each.kind)
            for uuid, each in active_operations(uuids).items()
            if besides is None or each.pk != besides.pk
        }
        self._elsewhere: dict[UUID, list[str]] = defaultdict(list)
        twins = Twin.objects.filter(guest__in=uuids, moving=False)
        for uuid, host in twins.values_list("guest", "host__name"):
            self._elsewhere[uuid].append(host)

    def needs(self, guest: Guest, live: bool | None) -> Needs:  # noqa: FBT001  as asked for
        document = _document(self._documents.get(guest.pk, ""))
        return Needs(
            name=guest.name,
            live=guest.state in _ON if live is None else live,
            state=guest.state,
            persistent=guest.persistent,
            memory_bytes=guest.memory_bytes,
            vcpus=guest.vcpus,
            arch=guest.arch,
            virt_type=guest.virt_type,
            machine=guest.machine,
            firmware=guest.firmware,
            cpu_mode=document.cpu_mode,
            cpu_model=document.cpu_model,
            disks=tuple(self._disks(guest, document)),
            nics=tuple(NicAt(nic["kind"], nic["network"]) for nic in guest.nics),
            devices=tuple(_devices(document)),
            shares=tuple(each.source for each in document.filesystems),
            listens=_listens(guest),
            secrets=_secrets(document),
            snapshots=guest.snapshots,
            tpm=bool(document.tpms),
            hugepages=document.hugepages,
            saved=guest.managed_save,
            busy=self._busy.get(guest.pk, ""),
            elsewhere=tuple(self._elsewhere[guest.pk]),
        )

    def _disks(self, guest: Guest, document: Domain) -> Iterator[DiskAt]:
        parts = {disk.target: disk for disk in document.disks}
        for told in guest.disks:
            yield self._disk(guest, told, parts.get(told["target"], Disk.make()))

    def _disk(self, guest: Guest, told: dict[str, Any], part: Disk) -> DiskAt:
        chain = self._volumes.chain(guest.host_id, told)
        top = chain[0] if chain else None
        return DiskAt(
            target=told["target"],
            path=top.path if top else told["path"],
            pool=top.pool if top else told["pool"],
            device=told["device"],
            format=told["format"],
            cache=part.cache,
            readonly=told["readonly"] or told["device"] in _READY_MADE,
            optional=part.startup_policy in {"optional", "requisite"},
            networked=told["kind"] == "network",
            capacity_bytes=top.capacity_bytes if top else 0,
            allocated_bytes=sum(each.allocation_bytes for each in chain),
        )


class _Volumes:
    """The volumes of these guests' disks, and what they stand on."""

    def __init__(self, guests: Sequence[Guest]) -> None:
        disks = [disk for guest in guests for disk in guest.disks]
        self._hosts = {guest.host_id for guest in guests if guest.host_id}
        self._by_path: dict[tuple[int, str], _Piece] = {}
        self._by_name: dict[tuple[int, str, str], _Piece] = {}
        names = {disk["volume"] for disk in disks if disk["volume"]}
        below = self._load({disk["path"] for disk in disks if disk["path"]}, names)
        for _ in range(_BELOW - 1):
            if below:
                below = self._load(below, set())

    def chain(self, host: int | None, disk: dict[str, Any]) -> list[_Piece]:
        """The volume a disk is and those below it, the top first."""
        if host is None:
            return []
        piece = self._by_path.get((host, disk["path"]))
        if disk["volume"]:
            piece = self._by_name.get((host, disk["pool"], disk["volume"]), piece)
        found: list[_Piece] = []
        while piece and piece not in found and len(found) < _BELOW:
            found.append(piece)
            piece = self._by_path.get((host, piece.below)) if piece.below else None
        return found

    def _load(self, paths: Collection[str], names: Collection[str]) -> set[str]:
        """Read these; the paths of what is below them and not known yet."""
        rows = Volume.objects.filter(pool__host__in=self._hosts)
        rows = rows.filter(Q(path__in=paths) | Q(name__in=names))
        columns = ("pool__host", "name", "pool__name", "path")
        sizes = ("capacity_bytes", "allocation_bytes", "backing_path")
        below = set()
        for host, name, *about in rows.values_list(*columns, *sizes):
            piece = _Piece(*about)
            self._by_path[host, piece.path] = piece
            self._by_name[host, piece.pool, name] = piece
            below.add(piece.below)
        known = {path for _, path in self._by_path}
        return {path for path in below if path and path not in known}


def _document(xml: str) -> Domain:
    try:
        return Domain.parse(xml) if xml else Domain.make()
    except Invalid:
        return Domain.make()  # its page says so; here it has nothing special


def _devices(document: Domain) -> Iterator[str]:
    for each in document.hostdevs:
        if each.type == "usb" and each.vendor:
            yield f"USB {each.vendor}:{each.product}"
        elif each.address is not None:
            at = each.address
            yield f"{(each.type or 'host').upper()} {at.bus}:{at.slot}.{at.function}"
        else:
            yield f"{(each.type or 'host').upper()} device"


def _listens(guest: Guest) -> tuple[str, ...]:
    """The addresses its screens are bound to; names of networks are the host's affair."""
    told = (each.get("listen", "") for each in guest.graphics)
    return tuple(address for address in told if _numeric(address))


def _numeric(address: str) -> bool:
    return ":" in address or address.replace(".", "").isdigit()


def _secrets(document: Domain) -> tuple[str, ...]:
    found: Iterable[str] = (
        str(each.get("uuid") or "") for each in document.element.iter("secret")
    )
    return tuple(dict.fromkeys(uuid for uuid in found if uuid))
