"""What lists and pages of guests read, in a fixed number of queries."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import NamedTuple
from uuid import UUID

from django.core.paginator import Page, Paginator
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.expressions import OrderBy

from guests.access import visible
from guests.models import Guest, Twin
from hosts.models import Host, Volume
from kvmweb import samples
from kvmweb.accounts.gate import sees_all
from kvmweb.accounts.models import Project, User
from kvmweb.operations.models import Operation
from kvmweb.virt.types import DomainState, GuestSample

PAGE = 50
NO_FOLDER = "-"
MOVE = "guest.migrate"
_LIGHT = (  # what rows of lists show; fewer columns are most of a list's time
    *("name", "state", "state_since", "started_at", "host", "owner", "project", "tags"),
    *("vcpus", "memory_bytes", "addresses", "template"),
)

_COLUMNS: dict[str, tuple[str, ...]] = {
    "name": ("name",),
    "state": ("state", "name"),
    "host": ("host__name", "name"),
    "owner": ("owner__username", "name"),
    "vcpus": ("vcpus", "name"),
    "memory": ("memory_bytes", "name"),
    "addresses": ("addresses", "name"),
    "tags": ("tag_words", "name"),
    "os": ("os", "name"),
    "since": ("state_since", "name"),
    "uptime": ("started_at", "name"),
    "seen": ("seen_at", "name"),
    "autostart": ("autostart", "name"),
    "snapshots": ("snapshots", "name"),
}


def _sum(first: float | None, second: float | None) -> float | None:
    return None if first is None and second is None else (first or 0) + (second or 0)


_LIVE: dict[str, Callable[[GuestSample], float | None]] = {
    "cpu": lambda it: it.cpu_percent,
    "memory_used": lambda it: it.memory_bytes,
    "disk": lambda it: _sum(it.disk_read_bytes_s, it.disk_write_bytes_s),
    "network": lambda it: _sum(it.net_rx_bytes_s, it.net_tx_bytes_s),
}
SORTS = (*_COLUMNS, *_LIVE)  # each also with "-" before it
STATES = [state.value for state in DomainState]


@dataclass(frozen=True, slots=True)
class Filters:
    """What somebody wants to see; every value as it stands in the URL, "" for any."""

    search: str = ""  # words; each must be in name, tag, host, address or owner
    state: str = ""
    host: str = ""  # a name or an id
    tag: str = ""
    folder: str = ""  # a tag, and all below it; "-" for none at all
    owner: str = ""  # a username; "-" for none
    project: str = ""  # a name or an id; "-" for none
    agent: str = ""  # "yes": connected, "no": not
    gone: str = ""  # "yes": also guests that no host knows any more
    conflict: str = ""  # "yes": on several hosts at once
    template: str = ""  # "yes": templates only, "no": none of them
    sort: str = "name"

    @classmethod
    def of(cls, values: dict[str, str]) -> "Filters":
        """From a query string; what is not understood counts as not said."""
        told = {
            each.name: value
            for each in fields(cls)
            if (value := values.get(each.name, "").replace("\0", "").strip()[:200])
        }
        if told.get("sort", "").removeprefix("-") not in SORTS:
            told.pop("sort", None)
        if told.get("state", "") not in set(DomainState):
            told.pop("state", None)
        return cls(**told)

    @property
    def narrow(self) -> bool:
        """Whether they leave some guests out that one would see otherwise."""
        return replace(self, sort="name", gone="") != Filters()


class Rows:
    """The guests a person wants to see, in order; a slice costs four queries.

    `full` loads every column, for the API, which asks for what goes on by itself; else
    only what rows of pages show, with samples and active operations.
    """

    def __init__(self, user: User, filters: Filters, *, full: bool = False) -> None:
        self._matching = _matching(user, filters)
        self._sort = filters.sort if sees_all(user) else _without_hosts(filters.sort)
        self._full = full
        self._count: int | None = None

    def count(self) -> int:
        """How many there are. One query, the first time."""
        if self._count is None:
            self._count = self._matching.count()
        return self._count

    def __len__(self) -> int:
        return self.count()

    def __getitem__(self, part: slice) -> list[Guest]:
        key, falling = self._sort.removeprefix("-"), self._sort.startswith("-")
        if key in _LIVE:
            rows = self._by_number(key, part, falling=falling)
        else:
            rows = list(self._rows().order_by(*_order(key, falling=falling))[part])
        rows = _accompanied(rows)
        return rows if self._full else dressed(rows)

    def _rows(self) -> QuerySet[Guest]:
        rows = self._matching.annotate(
            conflict=in_conflict()  # type: ignore[no-redef]  # fills the attribute
        )
        return rows if self._full else rows.only(*_LIGHT)

    def _by_number(self, key: str, part: slice, *, falling: bool) -> list[Guest]:
        """Sorted by what samples say; guests without a number come last."""
        names = dict(self._matching.order_by("name").values_list("pk", "name"))
        numbers = {
            pk: number
            for pk, sample in samples.latest(list(names)).items()
            if (number := _LIVE[key](sample)) is not None
        }
        known = sorted(
            (pk for pk in names if pk in numbers),
            key=numbers.__getitem__,
            reverse=falling,
        )
        wanted = [*known, *(pk for pk in names if pk not in numbers)][part]
        rows = self._rows().in_bulk(wanted)
        return [rows[pk] for pk in wanted if pk in rows]


def listing(user: User, filters: Filters, number: str | int = 1) -> Page[Guest]:
    """One page of the list, with samples and active operations on its rows.

    Five queries and one round trip to Redis, whatever there is.
    """
    # Django's hints want a QuerySet; count() and slices are what it uses.
    return Paginator(Rows(user, filters), PAGE).get_page(number)  # type: ignore[arg-type]


def dressed(rows: Iterable[Guest]) -> list[Guest]:
    """The same guests with their latest sample and active operation beside them."""
    guests = list(rows)
    uuids = [each.pk for each in guests]
    numbers = samples.latest(uuids) if uuids else {}
    operations = active_operations(uuids)
    for guest in guests:
        guest.sample = numbers.get(guest.pk)
        guest.active_operation = operations.get(guest.pk)
    return guests


def _accompanied(guests: list[Guest]) -> list[Guest]:
    """The same guests with hosts, owners and projects, each loaded once. Three queries."""
    hosts = Host.objects.only("name", "state", "maintenance").in_bulk(
        {it.host_id for it in guests if it.host_id is not None}
    )
    owners = User.objects.only("username").in_bulk(
        {it.owner_id for it in guests if it.owner_id is not None}
    )
    projects = Project.objects.only("name").in_bulk(
        {it.project_id for it in guests if it.project_id is not None}
    )
    for guest in guests:
        if guest.project_id is not None:
            guest.project = projects.get(guest.project_id)
        if guest.host_id is not None:
            guest.host = hosts.get(guest.host_id)
        if guest.owner_id is not None:
            guest.owner = owners.get(guest.owner_id)
    return guests


def active_operations(uuids: Collection[UUID]) -> dict[UUID, Operation]:
    """What is under way on these guests, at most one for each. One query."""
    if not uuids:
        return {}
    rows = Operation.objects.filter(guest__in=uuids, state__in=Operation.ACTIVE).only(
        "kind", "state", "progress", "phase", "guest", "author"
    )
    return {each.guest: each for each in rows if each.guest}


def is_moving(guest: Guest) -> bool:
    """Whether it is on its way to another host, by us or by somebody else. Two queries."""
    ours = Operation.objects.filter(
        guest=guest.pk, kind=MOVE, state__in=Operation.ACTIVE
    )
    return ours.exists() or Twin.objects.filter(guest=guest, moving=True).exists()


def in_folder(path: str) -> Q:
    """Guests with this tag, or one below it."""
    return Q(tag_words__contains=f" {path} ") | Q(tag_words__contains=f" {path}/")


def in_conflict() -> Exists:
    """Whether another host has the same UUID, and no migration explains it."""
    return Exists(Twin.objects.filter(guest=OuterRef("pk"), moving=False))


def twins(guest: Guest) -> list[Twin]:
    """The other places where its UUID was seen, with their hosts."""
    rows = guest.twins.select_related("host")
    return list(rows.defer("facts", "xml", "inactive_xml"))


def owners(user: User) -> list[str]:
    """Names to filter by."""
    names = visible(user).exclude(owner=None).order_by("owner__username")
    return list(names.values_list("owner__username", flat=True).distinct())


def hosts(user: User) -> list[str]:
    """Names to filter by; none for those who see no hosts."""
    names = Host.objects.order_by("name").values_list("name", flat=True)
    return list(names) if sees_all(user) else []


class Place(NamedTuple):
    """Where a disk lies, as far as pools tell."""

    pool: str
    volume: str
    path: str
    capacity_bytes: int


class Volumes:
    """Volumes of hosts by path and by pool and name. One query."""

    def __init__(self, guests: Iterable[Guest]) -> None:
        hosts: set[int] = set()
        paths: set[str] = set()
        names: set[str] = set()
        for guest in guests:
            if guest.host_id is not None and guest.disks:
                hosts.add(guest.host_id)
                paths |= {disk["path"] for disk in guest.disks if disk["path"]}
                names |= {disk["volume"] for disk in guest.disks if disk["volume"]}
        self._by_path: dict[tuple[int, str], Place] = {}
        self._by_name: dict[tuple[int, str, str], Place] = {}
        if paths or names:
            self._load(hosts, paths, names)

    def find(self, host_id: int | None, disk: dict[str, str]) -> Place | None:
        """The volume a disk is, if a pool of its host holds it."""
        if host_id is None:
            return None
        if disk["pool"]:
            return self._by_name.get((host_id, disk["pool"], disk["volume"]))
        return self._by_path.get((host_id, disk["path"]))

    def _load(self, hosts: set[int], paths: set[str], names: set[str]) -> None:
        rows = Volume.objects.filter(pool__host__in=hosts).filter(
            Q(path__in=paths) | Q(name__in=names)
        )
        columns = ("pool__host", "pool__name", "name", "path", "capacity_bytes")
        for host, pool, name, path, capacity in rows.values_list(*columns):
            place = Place(pool, name, path, capacity)
            self._by_path[host, path] = place
            self._by_name[host, pool, name] = place


def _without_hosts(sort: str) -> str:
    """The same order, but for who sees no hosts: theirs would tell who lives together."""
    return "name" if sort.removeprefix("-") == "host" else sort


def _order(key: str, *, falling: bool) -> Sequence[OrderBy | str]:
    """Empty values last either way; the UUID makes pages stable."""
    first, *others = _COLUMNS[key]
    field = F(first)
    way = field.desc(nulls_last=True) if falling else field.asc(nulls_last=True)
    return [way, *others, "uuid"]


def _matching(user: User, filters: Filters) -> QuerySet[Guest]:
    rows = visible(user).filter(*_narrowed(filters))
    if filters.state != DomainState.GONE and filters.gone != "yes":
        rows = rows.exclude(state=DomainState.GONE)
    if filters.host and sees_all(user):
        rows = rows.filter(_on(filters.host))
    for word in filters.search.split()[:8]:
        rows = rows.filter(_says(word, hosts=sees_all(user)))
    return rows


def _narrowed(filters: Filters) -> Iterator[Q | Exists]:
    if filters.state:
        yield Q(state=filters.state)
    if filters.tag:
        yield Q(tag_words__contains=f" {filters.tag} ")
    yield from _belonging(filters)
    if filters.agent in {"yes", "no"}:
        yield Q(agent=True) if filters.agent == "yes" else ~Q(agent=True)
    if filters.conflict == "yes":
        yield in_conflict()
    if filters.template in {"yes", "no"}:
        yield Q(template=filters.template == "yes")


def _belonging(filters: Filters) -> Iterator[Q]:
    if filters.folder == NO_FOLDER:
        yield Q(tag_words="")
    elif filters.folder:
        yield in_folder(filters.folder)
    if filters.owner == "-":
        yield Q(owner=None)
    elif filters.owner:
        yield Q(owner__username=filters.owner)
    if filters.project == "-":
        yield Q(project=None)
    elif filters.project:
        yield _of(filters.project)


def _of(project: str) -> Q:
    named = Q(project__name=project)
    by_id = project.isdecimal() and len(project) < 10
    return named | Q(project=int(project)) if by_id else named


def _on(host: str) -> Q:
    named = Q(host__name=host)
    return named | Q(host=int(host)) if host.isdecimal() and len(host) < 10 else named


def _says(word: str, *, hosts: bool) -> Q:
    """Guests that a word is about. Those who see no hosts find none by their hosts."""
    about = (
        Q(name__icontains=word)
        | Q(tag_words__icontains=word)
        | Q(addresses__icontains=word)
        | Q(owner__username__icontains=word)
    )
    if hosts:
        about |= Q(host__name__icontains=word)
    try:
        about |= Q(pk=UUID(word))
    except ValueError:
        return about
    return about
