"""Whether two hosts see one storage: a small volume made on one, looked for on the other.

A pool's path, type and size only hint at it. The name of the volume is random, so seeing
it is proof. Who makes one takes it away again; what a crash left goes with the next one.
"""

import re
import secrets
import time

import libvirt

from kvmweb.errors import NotFound
from kvmweb.virt.connection import CHANGE_S, READ_S, verb
from kvmweb.virt.errors import explaining
from kvmweb.virt.storage import settle
from kvmweb.virt.xml.storage import Pool, Volume

PREFIX = "kvmweb-sentinel"
_NAME = re.compile(rf"{PREFIX}-(\d+)-[0-9a-f]{{32}}")
_BYTES = 4096
_REMOTE = {"netfs", "gluster", "vstorage"}
_LOOKS = 6  # a network file system may show a new file a moment later
_LOOK_S = 0.5
_STALE_S = 600


@verb(deadline_s=CHANGE_S)
def write(conn: libvirt.virConnect, pool: str) -> str:
    """Make a sentinel in the pool of this name; the name it got.

    Raises NotFound for the pool, HostError when nothing can be made there.
    """
    there = _pool(conn, pool)
    with explaining(f"write a sentinel into {pool}"):
        _clear(there)
        name = f"{PREFIX}-{int(time.time())}-{secrets.token_hex(16)}"
        document = Volume.make(name=name)
        document.capacity = _BYTES
        there.createXML(str(document), 0)
    return name


@verb(deadline_s=CHANGE_S)
def is_seen(conn: libvirt.virConnect, pool: str, name: str, *, patient: bool) -> bool:
    """Whether the pool of this name has the sentinel; `patient` looks for some seconds."""
    there = _pool(conn, pool)
    for turn in range(_LOOKS if patient else 1):
        if turn:
            time.sleep(_LOOK_S)
        settle(there)
        with explaining(f"look for a sentinel in {pool}"):
            if name in there.listVolumes():
                return True
    return False


@verb(deadline_s=READ_S)
def is_remote(conn: libvirt.virConnect, pool: str) -> bool:
    """Whether libvirt knows that the pool lies on another machine."""
    there = _pool(conn, pool)
    with explaining(f"read the pool {pool}"):
        return Pool.parse(there.XMLDesc(0)).type in _REMOTE


@verb(deadline_s=CHANGE_S)
def remove(conn: libvirt.virConnect, pool: str, name: str) -> None:
    """Take the sentinel away; gone is fine."""
    there = _pool(conn, pool)
    with explaining(f"take the sentinel out of {pool}"):
        if name in there.listVolumes():
            there.storageVolLookupByName(name).delete(0)
    settle(there)


@verb(deadline_s=CHANGE_S)
def forget(conn: libvirt.virConnect, pool: str) -> None:
    """Have the other host look again, so that it does not believe it still there."""
    settle(_pool(conn, pool))


def _pool(conn: libvirt.virConnect, name: str) -> libvirt.virStoragePool:
    with explaining(f"find the pool {name}"):
        there = conn.storagePoolLookupByName(name)
        if not there.isActive():
            raise NotFound(f"The pool {name} is not started.")
    return there


def _clear(pool: libvirt.virStoragePool) -> None:
    """Take away what somebody left here who did not come to it."""
    for name in pool.listVolumes():
        match = _NAME.fullmatch(name)
        if match and time.time() - int(match[1]) > _STALE_S:
            pool.storageVolLookupByName(name).delete(0)
