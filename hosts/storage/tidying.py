"""What nobody waits for: the trash is emptied, half-made volumes are deleted.

Each is an operation like any other: recorded, refused while somebody uses the volume,
and tried again later when its host does not answer.
"""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from hosts.models import Host, Volume
from hosts.storage.claims import claim
from hosts.storage.models import Holding
from kvmweb.errors import AppError
from kvmweb.operations.models import Operation
from kvmweb.operations.services import submit

_AT_ONCE = 20
_AGAIN = timedelta(hours=1)
_ABANDONED = timedelta(seconds=10)


def empty_trash() -> int:
    """Have the volumes deleted that are due; how many were begun."""
    due = Holding.objects.filter(
        state=Holding.State.TRASH, due_at__lte=timezone.now(), host__state=Host.State.UP
    )
    begun = 0
    for row in due.select_related("host").order_by("due_at")[:_AT_ONCE]:
        # Whatever comes of it, it is not tried again for an hour.
        Holding.objects.filter(pk=row.pk).update(due_at=timezone.now() + _AGAIN)
        begun += _begin(row)
    return begun


def clear_unfinished() -> int:
    """Have the volumes deleted that an operation began and did not finish."""
    rows = Holding.objects.filter(
        state=Holding.State.BUILDING,
        host__state=Host.State.UP,
        since__lt=timezone.now() - _ABANDONED,
    )
    begun = 0
    for row in rows.select_related("host").order_by("since")[:_AT_ONCE]:
        maker = Operation.objects.filter(pk__in=[row.operation]).first()
        if maker is not None and maker.active:
            continue
        if maker is not None and not maker.result.get("begun"):
            row.delete()  # it never came to touching the host
            continue
        Holding.objects.filter(pk=row.pk).update(since=timezone.now())
        begun += _begin(row)
    return begun


def _begin(row: Holding) -> int:
    """Submit the deletion of what is held; 1, or 0 when it cannot be done now."""
    volume = Volume.objects.filter(pool__host=row.host, path=row.path).first()
    if volume is None:
        return 0
    pool = volume.pool
    params = {
        "pool": pool.pk,
        "pool_uuid": str(pool.uuid),
        "pool_name": pool.name,
        "volume": volume.pk,
        "name": volume.name,
        "path": volume.path,
        "held": row.state,
    }
    try:
        with transaction.atomic():
            operation = submit(
                "volume.delete",
                by=None,
                host=row.host_id,
                host_name=row.host.name,
                params=params,
            )
            claim(operation, row.host, [row.path], destroys=True)
    except AppError as error:
        Holding.objects.filter(pk=row.pk).update(problem=str(error))
        return 0
    return 1
