"""Reading images: each list costs a fixed number of queries."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields

from django.core.paginator import Page, Paginator
from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet

from guests.images import access
from guests.images.models import FILES, Image, ImageCopy
from hosts import access as host_access
from hosts.models import Host, Pool, Volume
from hosts.storage.models import Holding
from kvmweb.accounts.models import User
from kvmweb.ordering import ordered

PAGE = 50
ORDERINGS: dict[str, str | Sequence[str]] = {
    "name": ("name", "version"),
    "state": ("state", "name"),
    "size_bytes": ("size_bytes", "name"),
    "virtual_size_bytes": ("virtual_size_bytes", "name"),
    "created_at": "created_at",
}
SEARCHED = ("name", "version", "os")


def listing(user: User) -> QuerySet[Image]:
    """The images this person may see, with where their copies are; three queries."""
    return with_copies(access.visible(user)).order_by("name", "version", "pk")


def choosable(user: User) -> QuerySet[Image]:
    """Those that guests can be made of now."""
    return listing(user).filter(state=Image.State.READY)


def with_copies(rows: QuerySet[Image]) -> QuerySet[Image]:
    """The same with `copies`, their hosts and pools; one more query."""
    copies = ImageCopy.objects.select_related("host", "pool").order_by("host__name")
    return rows.prefetch_related(Prefetch("copies", queryset=copies))


def one(image: Image) -> Image:
    """The same image, read again with its copies."""
    return with_copies(Image.objects.filter(pk=image.pk)).get()


def upload_pools(user: User) -> Iterable[Pool]:
    """Where an image can be uploaded to: active pools of hosts that are up."""
    hosts = host_access.visible(user).filter(state=Host.State.UP)
    rows = Pool.objects.filter(active=True, host__in=hosts, type__in=FILES)
    return rows.select_related("host").order_by("host__name", "name")


def volumes(user: User, formats: Collection[str]) -> QuerySet[Volume]:
    """The volumes of these formats that an image could be made of, by host and name."""
    hosts = host_access.visible(user).filter(state=Host.State.UP)
    rows = Volume.objects.filter(pool__host__in=hosts, pool__type__in=FILES)
    held = Holding.objects.exclude(state=Holding.State.READY)
    held = held.filter(host=OuterRef("pool__host"), path=OuterRef("path"))
    copies = ImageCopy.objects.filter(
        host=OuterRef("pool__host"), path=OuterRef("path")
    )
    rows = rows.filter(~Exists(held), ~Exists(copies), format__in=formats)
    rows = rows.filter(backing_path="").select_related("pool__host")
    return rows.order_by("pool__host__name", "pool__name", "name")


@dataclass(frozen=True, slots=True)
class Filters:
    """What somebody wants to see; every value as it stands in the URL, "" for any."""

    search: str = ""
    sort: str = "name"

    @classmethod
    def of(cls, values: Mapping[str, str]) -> "Filters":
        """From a query string; what is not understood counts as not said."""
        told = {
            each.name: value
            for each in fields(cls)
            if (value := values.get(each.name, "").replace("\0", "").strip()[:200])
        }
        if told.get("sort", "").removeprefix("-") not in ORDERINGS:
            told.pop("sort", None)
        return cls(**told)


def page(user: User, filters: Filters, number: str | int = 1) -> Page[Image]:
    """One page of the list; three queries."""
    rows = listing(user)
    for word in filters.search.split()[:8]:
        found = Q()
        for column in SEARCHED:
            found |= Q((f"{column}__icontains", word))
        rows = rows.filter(found)
    rows = rows.order_by(*ordered(filters.sort, ORDERINGS))
    return Paginator(rows, PAGE).get_page(number)
