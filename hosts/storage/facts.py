"""What is known of volumes ends with them: the host says which are there."""

from collections.abc import Sequence

from hosts.models import Host, Pool
from hosts.recorders import recorder
from hosts.storage.models import Holding
from hosts.storage.places import path_of
from kvmweb.operations.models import Operation
from kvmweb.virt.types import PoolFacts


@recorder("pools")
def forget_gone(host: Host, seen: Sequence[PoolFacts]) -> None:
    """Forget what was known of volumes that are not there any more.

    A volume that is still being made may not be there yet: its mark stays as long as
    its operation. Of a pool that is off nobody knows, so nothing is forgotten.
    """
    held = list(Holding.objects.filter(host=host))
    if not held:
        return
    there = {volume.path for pool in seen for volume in pool.volumes}
    known = {pool.uuid: pool for pool in host.pools.all()}
    dark = [known[pool.uuid] for pool in seen if not pool.active and pool.uuid in known]
    lost = [row for row in held if row.path not in there and not _may_be_in(row, dark)]
    active = set(
        Operation.objects.filter(
            pk__in=[row.operation for row in lost if row.operation],
            state__in=Operation.ACTIVE,
        ).values_list("pk", flat=True)
    )
    gone = [row.pk for row in lost if row.operation not in active]
    Holding.objects.filter(pk__in=gone).delete()


def _may_be_in(row: Holding, dark: Sequence[Pool]) -> bool:
    name = row.path.rpartition("/")[2]
    return any(path_of(pool, name) == row.path for pool in dark)
