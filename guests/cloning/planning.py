"""What a clone will be made of, down to paths; what speaks against it. Reads rows only."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID, uuid4

from guests.models import Guest
from guests.queries import Place, Volumes
from hosts.models import Host, Pool, Volume
from hosts.storage import holdings
from hosts.storage.places import path_of
from kvmweb.errors import Conflict

KIND = "guest.clone"
_FILES = {"dir", "fs", "netfs"}
_RAW_ONLY = {"logical", "disk", "zfs"}
_DISKS = {"disk", "lun"}


@dataclass(frozen=True, slots=True)
class Copy:
    """One disk of a clone."""

    target: str
    source: str  # path
    source_format: str
    capacity_bytes: int
    pool: int
    pool_uuid: str
    name: str
    path: str
    format: str


@dataclass(frozen=True, slots=True)
class Plan:
    """One clone."""

    uuid: str
    name: str
    source: str  # UUID
    source_name: str
    source_host: int
    host: int
    host_name: str
    linked: bool
    start: bool
    disks: tuple[Copy, ...]
    seed_pool: int | None  # where the CD goes that tells it who it is
    dropped: tuple[str, ...]  # paths of CDs that were the original's alone
    elsewhere: bool  # it goes to another host than the original's
    project: str = ""  # the original's, as all of these
    tags: tuple[str, ...] = ()
    vcpus: int = 0
    memory_bytes: int = 0

    def told(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


def plan_of(told: dict[str, Any]) -> Plan:
    """The plan again, from JSON."""
    disks = tuple(Copy(**each) for each in told["disks"])
    words = {name: tuple(told.get(name, ())) for name in ("dropped", "tags")}
    return Plan(**{**told, **words, "disks": disks})


def plan(
    source: Guest, host: Host, name: str, *, linked: bool, start: bool, seeded: bool
) -> Plan:
    """What a clone of this guest on this host will be. Raises Conflict."""
    if source.host is None:
        raise Conflict(f"{source.name} is gone: no host knows it any more.")
    elsewhere = host.pk != source.host.pk
    if linked and elsewhere:
        raise Conflict(
            f"A linked clone stands on the disks of {source.name} and stays on "
            f"{source.host.name}.",
            hint="Make a full clone, or leave the host out.",
        )
    disks = tuple(_copies(source, source.host, host, name, linked=linked))
    return Plan(
        uuid=str(uuid4()),
        name=name,
        source=str(source.pk),
        source_name=source.name,
        source_host=source.host.pk,
        host=host.pk,
        host_name=host.name,
        linked=linked,
        start=start,
        disks=disks,
        seed_pool=_largest(host).pk if seeded else None,
        dropped=tuple(_seeds(source)),
        elsewhere=elsewhere,
        project=source.project.name if source.project else "",
        tags=tuple(source.tags),
        vcpus=source.vcpus,
        memory_bytes=source.memory_bytes,
    )


def _copies(
    source: Guest, home: Host, host: Host, name: str, *, linked: bool
) -> Iterator[Copy]:
    places = Volumes([source])
    for disk in source.disks:
        if disk["device"] not in _DISKS or disk["readonly"]:
            continue
        target = disk["target"]
        if disk["shareable"]:
            raise Conflict(
                f"{target} of {source.name} is shared with other guests, so no copy of "
                "it would be the same.",
                hint="Take the disk away first.",
            )
        volume = _volume(source, home, target, places.find(home.pk, disk))
        _need_copyable(source, home, host, volume, linked=linked)
        pool = _pool(host, volume.pool, linked=linked)
        known = disk["format"] or holdings.format_of(volume)
        made_as = _format(known, pool, linked=linked)
        file = f"{name}.{target}.{made_as}"
        path = path_of(pool, file)
        if Volume.objects.filter(pool=pool, path=path).exists():
            raise Conflict(f"There is a volume {path} on {host.name} already.")
        yield Copy(
            target=target,
            source=volume.path,
            source_format=known,
            capacity_bytes=volume.capacity_bytes,
            pool=pool.pk,
            pool_uuid=str(pool.uuid),
            name=file,
            path=path,
            format=made_as,
        )


def _volume(source: Guest, home: Host, target: str, place: Place | None) -> Volume:
    rows = Volume.objects.select_related("pool").filter(pool__host=home)
    found = rows.filter(path=place.path).first() if place else None
    if found is None:
        raise Conflict(
            f"{target} of {source.name} lies in no storage pool of {home.name}, so its "
            "host cannot copy it.",
            hint="Add a pool for the place where it lies, or refresh the one that is there.",
        )
    holdings.need_ready(found)
    return found


def _need_copyable(
    source: Guest, home: Host, host: Host, volume: Volume, *, linked: bool
) -> None:
    if host.pk != home.pk and volume.backing_path:
        raise Conflict(
            f"{volume.name} of {source.name} stands on {volume.backing_path}, which "
            f"{host.name} does not have.",
            hint=f"Make a full clone on {home.name} first, then clone that one.",
        )
    if linked and volume.capacity_bytes <= 0:
        raise Conflict(f"The size of {volume.path} is not known.")


def _pool(host: Host, like: Pool, *, linked: bool) -> Pool:
    """Beside the original where that can be, else where files have most space."""
    rows = Pool.objects.filter(host=host, active=True)
    same = rows.filter(name=like.name).first()
    fitting = _FILES if linked else _FILES | _RAW_ONLY
    if same is not None and same.type in fitting:
        return same
    return _largest(host)


def _largest(host: Host) -> Pool:
    rows = Pool.objects.filter(host=host, active=True, type__in=_FILES)
    found = rows.order_by("-available_bytes", "name").first()
    if found is None:
        raise Conflict(
            f"{host.name} has no active pool of files.",
            hint="Add a pool of the type dir there, or start one.",
        )
    return found


def _format(known: str, pool: Pool, *, linked: bool) -> str:
    if pool.type in _RAW_ONLY:
        return "raw"
    return "qcow2" if linked or known == "qcow2" else "raw"


def _seeds(source: Guest) -> Iterator[str]:
    """CDs that told the original who it is."""
    for disk in source.disks:
        if disk["device"] == "cdrom" and disk["path"].endswith("-seed.iso"):
            yield disk["path"]


def uuid_of(plan: Plan) -> UUID:
    """The clone's."""
    return UUID(plan.uuid)
