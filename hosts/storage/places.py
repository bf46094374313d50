"""Where a volume will be, before it is there."""

import posixpath

from hosts.models import Pool

_BY_TARGET = frozenset({"dir", "fs", "netfs", "logical", "zfs"})


def path_of(pool: Pool, name: str) -> str:
    """The path that a volume of this name gets in the pool.

    Where only libvirt can say (partitions, network pools) a name that no path is.
    """
    if pool.type in _BY_TARGET and pool.target:
        return f"{pool.target.rstrip('/')}/{name}"
    return f"{pool.uuid}/{name}"


def lies_in(pool: Pool, path: str) -> bool:
    """Whether a volume at this path, as `path_of` gives it, is one of the pool's."""
    return path_of(pool, posixpath.basename(path)) == path
