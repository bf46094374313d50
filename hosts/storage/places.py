"""Where a volume will be, before it is there."""

from hosts.models import Pool

_BY_TARGET = frozenset({"dir", "fs", "netfs", "logical", "zfs"})


def path_of(pool: Pool, name: str) -> str:
    """The path that a volume of this name gets in the pool.

    Where only libvirt can say (partitions, network pools) a name that no path is.
    """
    if pool.type in _BY_TARGET and pool.target:
        return f"{pool.target.rstrip('/')}/{name}"
    return f"{pool.uuid}/{name}"
