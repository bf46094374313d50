"""Pools defined, started, stopped and forgotten, by verbs for `host.run`."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import libvirt

from kvmweb.errors import Conflict, NotFound, Unsupported
from kvmweb.virt.connection import CHANGE_S, READ_S, verb
from kvmweb.virt.errors import explain, explaining
from kvmweb.virt.poolwish import PoolWish, document
from kvmweb.virt.xml.abilities import PoolCapabilities

_BUILT = frozenset({"dir", "fs", "netfs"})  # building only makes a missing directory


@verb(deadline_s=CHANGE_S)
def define(
    conn: libvirt.virConnect, wish: PoolWish, uuid: UUID, *, build: bool = False
) -> None:
    """Define the pool, start it and look into it; may be done twice.

    `build` also makes what is missing on its devices, never over something. When it
    cannot be started it is not defined either. Raises Invalid, Unsupported where the
    host has no such pools, Conflict when the name or the place is another pool's.
    """
    text = str(document(wish, uuid))
    _need_type(conn, wish.type)
    with explaining(f"define the pool {wish.name}"):
        pool = conn.storagePoolDefineXML(text, 0)
    try:
        if pool.isActive():
            return
        with explaining(f"start the pool {wish.name}"):
            if build or wish.type in _BUILT:
                pool.build(0)
            pool.create(0)
            pool.refresh(0)
    except BaseException:
        _take_back(pool)
        raise


@verb(deadline_s=READ_S)
def need_active(conn: libvirt.virConnect, uuid: UUID) -> None:
    """Nothing. Raises NotFound, or Conflict when nobody can look into the pool."""
    with _pool(conn, uuid, "look into") as pool:
        if not pool.isActive():
            raise Conflict(f"The pool {pool.name()} is not active.")


@verb(deadline_s=CHANGE_S)
def start(conn: libvirt.virConnect, uuid: UUID) -> None:
    """Make its volumes there for guests. Raises NotFound, HostError."""
    with _pool(conn, uuid, "start") as pool:
        if not pool.isActive():
            pool.create(0)


@verb(deadline_s=CHANGE_S)
def stop(conn: libvirt.virConnect, uuid: UUID) -> None:
    """Take its volumes away from guests; asked who uses them was before."""
    with _pool(conn, uuid, "stop") as pool:
        if pool.isActive():
            pool.destroy()


@verb(deadline_s=CHANGE_S)
def set_autostart(conn: libvirt.virConnect, uuid: UUID, *, enabled: bool) -> None:
    """Whether it starts with its host. Raises Conflict for a transient one."""
    with _pool(conn, uuid, "set the autostart of") as pool:
        if not pool.isPersistent():
            raise Conflict(
                f"{pool.name()} is transient: it cannot start with its host."
            )
        pool.setAutostart(int(enabled))
        if pool.isActive():
            pool.refresh(0)  # which wakes whoever watches it


@verb(deadline_s=CHANGE_S)
def undefine(conn: libvirt.virConnect, uuid: UUID) -> None:
    """Stop it and forget it; what lies in it stays where it is. Gone is fine."""
    try:
        with _pool(conn, uuid, "delete") as pool:
            persistent = bool(pool.isPersistent())
            if pool.isActive():
                pool.destroy()
            if persistent:
                pool.undefine()
    except NotFound:
        return


def _need_type(conn: libvirt.virConnect, kind: str) -> None:
    """Nothing. Raises Unsupported when this libvirt has no such pools, if it can say."""
    try:
        told = PoolCapabilities.parse(conn.getStoragePoolCapabilities(0))
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_SUPPORT:
            return  # it will say so when it is asked to define one
        raise explain(error, "ask which pools there can be") from error
    known = {each.type: each.supported for each in told.kinds}
    if not known.get(kind):
        offered = ", ".join(sorted(name for name, there in known.items() if there))
        raise Unsupported(
            f"This host's libvirt has no pools of type {kind}.",
            hint=f"It has {offered}; others come with packages of their own "
            "(libvirt-daemon-driver-storage-…).",
        )


def _take_back(pool: libvirt.virStoragePool) -> None:
    try:
        if pool.isActive():
            pool.destroy()
        pool.undefine()
    except libvirt.libvirtError:
        return  # the host's first error is the one to tell


@contextmanager
def _pool(
    conn: libvirt.virConnect, uuid: UUID, doing: str
) -> Iterator[libvirt.virStoragePool]:
    with explaining(f"find the pool {uuid}"):
        pool = conn.storagePoolLookupByUUIDString(str(uuid))
    with explaining(f"{doing} the pool {pool.name()}"):
        yield pool
