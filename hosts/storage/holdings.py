"""Volumes are building, ready or in the trash; only ready ones can be chosen.

What is to be made is written down first, so a volume that a crash left half made is
never taken for a whole one.
"""

from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from hosts import access
from hosts.models import Host, Pool, Volume
from hosts.storage.models import Holding
from hosts.storage.sharing import may_be_same
from kvmweb.accounts.models import User
from kvmweb.errors import Conflict
from kvmweb.operations.models import Operation

State = Holding.State


def building(host: Host, path: str, operation: Operation) -> None:
    """Mark what this operation is about to make; before it is there, and again.

    Raises Conflict when another operation makes it, or it lies in the trash.
    """
    with transaction.atomic():
        row = Holding.objects.select_for_update().filter(host=host, path=path).first()
        if row is None:
            row = Holding(host=host, path=path)
        elif row.state == State.TRASH:
            raise Conflict(
                f"{path} is in the trash of {host.name}.",
                hint="Take it out of there, delete it now, or choose another name.",
            )
        elif row.state == State.BUILDING and not _ours(row, operation):
            raise Conflict(
                f"{path} is being made on {host.name} already.",
                operation=str(row.operation or ""),
            )
        row.state, row.operation = State.BUILDING, operation.pk
        row.author, row.since = operation.author, timezone.now()
        row.save()


def is_building(host: Host, path: str, operation: UUID) -> bool:
    """Whether this operation has marked it as half made, and nobody took it over since."""
    rows = Holding.objects.filter(host=host, path=path, state=State.BUILDING)
    return rows.filter(operation=operation).exists()


def ready(host: Host, path: str, *, format: str = "") -> None:  # noqa: A002
    """It is whole, and of this format, whatever its first bytes will look like."""
    if not format:
        forget(host, path)
        return
    values = {"state": State.READY, "format": format, "operation": None, "problem": ""}
    Holding.objects.update_or_create(host=host, path=path, defaults=values)


def forget(host: Host, path: str) -> None:
    """There is nothing to know of it any more: it is gone, or as any other."""
    Holding.objects.filter(host=host, path=path).delete()


def choosable(user: User, host: Host) -> QuerySet[Volume]:
    """The volumes of a host that this person may use: ready ones only."""
    held = Holding.objects.exclude(state=State.READY)
    rows = Volume.objects.filter(pool__host__in=access.visible(user), pool__host=host)
    rows = rows.exclude(path__in=held.filter(host=host).values("path"))
    return rows.exclude(pk__in=_held_elsewhere(host)).select_related("pool")


def need_ready(volume: Volume) -> None:
    """Nothing. Raises Conflict when the volume is half made or in the trash."""
    row = held(volume)
    if row is None:
        return
    if row.state == State.TRASH:
        raise Conflict(
            f"The volume {volume.name} is in the trash.", hint="Take it out of there."
        )
    raise Conflict(
        f"The volume {volume.name} is not whole: it is being made, or was left so.",
        operation=str(row.operation or ""),
    )


def held(volume: Volume) -> Holding | None:
    """Why it is not ready; None when it is. Also what another host makes of it."""
    rows = Holding.objects.filter(path=volume.path).exclude(state=State.READY)
    for row in rows.select_related("host"):
        if row.host_id == volume.pool.host_id or _same_place(row, volume.pool):
            return row
    return None


def format_of(volume: Volume) -> str:
    """Its format: what we know of it, else what its host sees in its first bytes."""
    row = Holding.objects.filter(host=volume.pool.host_id, path=volume.path).first()
    return (row.format if row else "") or volume.format or "raw"


def _ours(row: Holding, operation: Operation) -> bool:
    """Whether what is marked is this operation's, or nobody's any more and gone."""
    if row.operation == operation.pk:
        return True
    makers = Operation.objects.filter(pk__in=[row.operation])
    if makers.filter(state__in=Operation.ACTIVE).exists():
        return False
    there = Volume.objects.filter(pool__host=row.host_id, path=row.path)
    return not there.exists()


def _held_elsewhere(host: Host) -> list[int]:
    """Volumes of a shared pool that are held on another host."""
    held = Holding.objects.exclude(state=State.READY).exclude(host=host)
    mine = Volume.objects.filter(pool__host=host, path__in=held.values("path"))
    found = {volume.path: volume for volume in mine.select_related("pool__host")}
    rows = held.filter(path__in=list(found)).select_related("host")
    return [
        found[row.path].pk for row in rows if _same_place(row, found[row.path].pool)
    ]


def _same_place(row: Holding, pool: Pool) -> bool:
    """Whether what is held on its host lies in this pool of another host."""
    theirs = Pool.objects.filter(host=row.host_id, target=pool.target)
    return any(may_be_same(pool, other) for other in theirs)
