"""What is known of volumes ends with them: the host says which are there."""

from collections.abc import Sequence

from hosts.models import Host
from hosts.recorders import recorder
from hosts.storage.models import Holding
from hosts.storage.places import lies_in
from kvmweb.operations.models import Operation
from kvmweb.virt.types import PoolFacts


@recorder("pools")
def forget_gone(host: Host, seen: Sequence[PoolFacts]) -> None:
    """Forget what was known of volumes that are not there any more.

    Only what an active pool would show and does not is gone: a libvirtd that has just
    come back may not know its pools yet. What is still being made may not be there yet:
    its mark stays as long as its operation.
    """
    held = list(Holding.objects.filter(host=host))
    if not held:
        return
    there = {volume.path for pool in seen for volume in pool.volumes}
    shown = {pool.uuid for pool in seen if pool.active and not pool.problem}
    looked_into = [pool for pool in host.pools.all() if pool.uuid in shown]
    lost = [
        row
        for row in held
        if row.path not in there
        and any(lies_in(pool, row.path) for pool in looked_into)
    ]
    makers = [row.operation for row in lost if row.operation]
    rows = Operation.objects.filter(pk__in=makers, state__in=Operation.ACTIVE)
    active = set(rows.values_list("pk", flat=True))
    gone = [row.pk for row in lost if row.operation not in active]
    Holding.objects.filter(pk__in=gone).delete()
