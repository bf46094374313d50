"""Which hosts may see the same storage, as far as rows tell."""

from collections.abc import Collection, Iterable

from hosts.models import Host, Pool
from kvmweb.errors import Conflict

_NETWORKED = {"netfs", "iscsi", "iscsi-direct", "rbd", "gluster", "sheepdog", "scsi"}


class Sharing:
    """The hosts that may see what lies under these paths of one host."""

    def __init__(self, home: Host, paths: Collection[str]) -> None:
        self.home = home
        self.alone = False  # no other host matters
        holding = Pool.objects.filter(host=home, volumes__path__in=paths)
        self._pools = list(holding.distinct())
        self._look({pool.target for pool in self._pools if pool.target})

    @classmethod
    def of_pool(cls, pool: Pool) -> "Sharing":
        """The same for all that is or will be in a pool."""
        sharing = cls(pool.host, ())
        sharing._pools = [pool]
        sharing._look({pool.target} if pool.target else set())
        return sharing

    @classmethod
    def of_home(cls, pool: Pool) -> "Sharing":
        """Only the pool's own host: what is done to the pool concerns no other."""
        sharing = cls.of_pool(pool)
        sharing.same, sharing.ids, sharing.alone = [], {pool.host_id}, True
        return sharing

    def _look(self, targets: Iterable[str]) -> None:
        others = Pool.objects.exclude(host=self.home).filter(target__in=targets)
        self.same: list[Pool] = []
        different: set[int] = set()
        for other in others.select_related("host"):
            if any(may_be_same(pool, other) for pool in self._pools):
                self.same.append(other)
            else:
                different.add(other.host_id)
        self.ids = {self.home.pk, *(pool.host_id for pool in self.same)}
        self.different = different - self.ids

    def hosts(self) -> list[Host]:
        """Them, its home first."""
        others = {pool.host_id: pool.host for pool in self.same}
        return [self.home, *others.values()]

    def need_answers(self) -> None:
        """Nothing. Raises Conflict when one of the others cannot be asked."""
        for pool in self.same:
            if pool.host.state != Host.State.UP:
                raise Conflict(
                    f"{pool.host.name} does not answer, and its pool {pool.name} may "
                    "be the same storage: nobody knows whether it uses these volumes.",
                    hint="Keep the volumes, or wait until it answers.",
                )


def may_be_same(pool: Pool, other: Pool) -> bool:
    """Whether two pools with one path on two hosts may be one storage.

    A directory may be mounted from a server that libvirt knows nothing of. Then both
    have the same size to the byte, and not two whole sets of volumes.
    """
    if pool.type in _NETWORKED or other.type in _NETWORKED:
        return True
    sizes = {pool.capacity_bytes, other.capacity_bytes}
    if len(sizes) > 1 and 0 not in sizes:
        return False
    mine = set(pool.volumes.values_list("name", flat=True))
    theirs = set(other.volumes.values_list("name", flat=True))
    return not theirs or bool(mine & theirs)
