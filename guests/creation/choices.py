"""What the page of a new guest offers. A fixed number of queries, however much there is."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from guests.creation import osinfo
from guests.creation.placement import BLOCKS, FILES
from guests.images import queries as images
from guests.images.models import ImageCopy, Seed
from guests.models import Guest
from hosts import access
from hosts.models import Host, HostDevice, Network, Pool, Volume
from hosts.storage.models import Holding
from kvmweb.accounts.gate import Right, may
from kvmweb.accounts.models import User
from kvmweb.virt.types import DomainState

MOST = 300  # volumes in one list; more are named by their path
LOOKED_AT = 20_000
_OF_HOSTS = ("name", "state", "maintenance", "capabilities")
_TYPES = FILES | BLOCKS
_ISO = ".iso"
Option = tuple[str, str]  # value and words
Groups = list[tuple[str, list[Option]]]


@dataclass(frozen=True, slots=True)
class Choices:
    """All lists of the page; groups have names, "" for none."""

    hosts: Groups
    images: Groups
    isos: Groups
    volumes: Groups
    networks: Groups
    pools: Groups
    systems: Groups
    cpu_models: Groups
    devices: Groups  # only for those who may give them away
    owners: Groups  # only for those who may choose one


def choices(user: User) -> Choices:
    """What this person may choose from."""
    hosts = list(access.visible(user).order_by("name").only(*_OF_HOSTS))
    cds, disks = _volumes(user)
    devices = may(user, Right.HOST_DEVICES)
    owners = may(user, Right.MANAGE_USERS)
    return Choices(
        hosts=_plain((str(host.pk), _host_words(host)) for host in hosts),
        images=_plain(_images(user)),
        isos=_by_host(cds),
        volumes=_by_host(disks),
        networks=_plain(_networks(hosts)),
        pools=_plain(_pools(hosts)),
        systems=[
            (name, [(each.id, each.name) for each in found])
            for name, found in osinfo.offered().items()
        ],
        cpu_models=_plain(_models(hosts)),
        devices=_devices(hosts) if devices else [],
        owners=_plain(_owners()) if owners else [],
    )


def _plain(options: Iterable[Option]) -> Groups:
    found = list(options)
    return [("", found)] if found else []


def _host_words(host: Host) -> str:
    if host.state != Host.State.UP:
        return f"{host.name} ({host.state})"
    return f"{host.name} (maintenance)" if host.maintenance else host.name


def _images(user: User) -> Iterable[Option]:
    for image in images.choosable(user).prefetch_related(None):
        system = osinfo.name_of(image.os) if image.os else ""
        cloud = "cloud-init" if image.cloud_init else "no cloud-init"
        words = ", ".join(filter(None, [system, cloud]))
        yield str(image.pk), f"{image} ({words})"


@dataclass(frozen=True, slots=True)
class _Volume:
    """What a list needs to know of one."""

    id: int
    name: str
    path: str
    below: str  # the path of what it stands on
    pool: str
    type: str  # of its pool
    host: int
    host_name: str


_COLUMNS = (
    *("pk", "name", "path", "backing_path", "pool__name", "pool__type"),
    *("pool__host", "pool__host__name"),
)


def _volumes(user: User) -> tuple[list[_Volume], list[_Volume]]:
    """CDs, and disks that no guest uses and no volume stands on, as far as rows tell.

    Only whole ones of hosts that are up; what is ours inside is not offered. Sets are
    looked through here: the data base would look for each volume anew.
    """
    up = access.visible(user).filter(state=Host.State.UP)
    rows = Volume.objects.filter(pool__host__in=up, pool__active=True)
    rows = rows.order_by("pool__host__name", "pool__name", "name")
    every = [_Volume(*row) for row in rows.values_list(*_COLUMNS)[:LOOKED_AT]]
    inside = _inside()
    taken = _used() | {(each.host, each.below) for each in every if each.below}
    cds: list[_Volume] = []
    disks: list[_Volume] = []
    for each in every:
        if (each.host, each.path) in inside:
            continue
        if each.name.lower().endswith(_ISO):
            cds.append(each)
        elif each.type in _TYPES and not _names(each) & taken:
            disks.append(each)
    return cds[:MOST], disks[:MOST]


def _inside() -> set[tuple[int | None, str]]:
    """Half-made, thrown away, or a part of ours: by host and path."""
    held = Holding.objects.exclude(state=Holding.State.READY)
    found: set[tuple[int | None, str]] = set(held.values_list("host", "path"))
    found |= set(ImageCopy.objects.values_list("host", "path"))
    return found | set(Seed.objects.exclude(path="").values_list("host", "path"))


def _used() -> set[tuple[int | None, str]]:
    """What guests have as disks, by host and path or "pool/name"."""
    guests = Guest.objects.exclude(state=DomainState.GONE).exclude(uses=[])
    told = guests.values_list("host", "uses")
    return {(host, path) for host, uses in told for path in uses}


def _names(volume: _Volume) -> set[tuple[int, str]]:
    called = f"{volume.pool}/{volume.name}"
    return {(volume.host, volume.path), (volume.host, called)}


def _by_host(volumes: list[_Volume]) -> Groups:
    groups = groupby(volumes, key=lambda it: (it.host_name, it.pool))
    return [
        (f"{host}, {pool}", [(str(each.id), each.name) for each in found])
        for (host, pool), found in groups
    ]


def _networks(hosts: list[Host]) -> Iterable[Option]:
    """By name; with the hosts that have one of it, where not all do."""
    names = {host.pk: host.name for host in hosts}
    rows = Network.objects.filter(host__in=names, active=True).order_by("name")
    there: dict[str, list[str]] = {}
    for name, host_id in rows.values_list("name", "host"):
        there.setdefault(name, []).append(names[host_id])
    for name, found in sorted(there.items(), key=lambda it: (it[0] != "default", it)):
        yield name, _words(name, found, len(hosts))


def _pools(hosts: list[Host]) -> Iterable[Option]:
    names = {host.pk: host.name for host in hosts}
    rows = Pool.objects.filter(host__in=names, active=True, type__in=_TYPES).order_by(
        "name"
    )
    there: dict[str, list[str]] = {}
    for name, host_id in rows.values_list("name", "host"):
        there.setdefault(name, []).append(names[host_id])
    for name, found in there.items():
        yield name, _words(name, found, len(hosts))


def _words(name: str, hosts: list[str], every: int) -> str:
    if len(hosts) == every:
        return name
    more = f" and {len(hosts) - 3} more" if len(hosts) > 3 else ""
    return f"{name} (on {', '.join(sorted(hosts)[:3])}{more})"


def _models(hosts: list[Host]) -> Iterable[Option]:
    models = {it for host in hosts for it in host.capabilities.get("cpu_models", ())}
    return [(name, name) for name in sorted(models, key=str.lower)]


def _devices(hosts: list[Host]) -> Groups:
    names = {host.pk: host.name for host in hosts}
    rows = HostDevice.objects.filter(host__in=names).order_by("host__name", "name")
    groups = groupby(rows[:MOST], key=lambda device: names[device.host_id])
    return [
        (host, [(str(it.pk), f"{it} ({it.kind}, {it.name})") for it in found])
        for host, found in groups
    ]


def _owners() -> Iterable[Option]:
    rows = User.objects.filter(is_active=True).order_by("username")
    return [(name, name) for name in rows.values_list("username", flat=True)]
