"""Volumes made, copied, grown and taken away, by verbs for `host.run`.

Names and numbers are checked before any document reaches libvirt. libvirt protects
nothing that is in use: who may use a volume is asked before these are called.
"""

import re
from uuid import UUID

import libvirt

from kvmweb.errors import Conflict, Invalid, NotFound
from kvmweb.sizes import amount
from kvmweb.virt import chains, usage
from kvmweb.virt.connection import CHANGE_S, verb
from kvmweb.virt.errors import explain, explaining
from kvmweb.virt.storage import facts_of, settle, volume_at
from kvmweb.virt.types import VolumeFacts
from kvmweb.virt.xml.storage import Pool, Volume

FORMATS = ("qcow2", "raw", "vmdk")  # what is made here
READ_FORMATS = (*FORMATS, "iso", "vdi", "vpc", "qed", "vhdx")
LARGEST_BYTES = 2**53
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}")
COPY_S = 6 * 3600.0  # the longest copy that is waited for
_WHOLE = frozenset({"logical", "disk"})  # what is made there has all its space at once
_RAW_ONLY = frozenset(
    {"logical", "disk", "iscsi", "iscsi-direct", "scsi", "mpath", "rbd", "zfs"}
)


@verb(deadline_s=CHANGE_S)
def create(  # noqa: PLR0913 - a volume's own parts
    conn: libvirt.virConnect,
    pool: UUID,
    name: str,
    *,
    format: str,  # noqa: A002 - libvirt's word for it
    capacity_bytes: int,
    backing_path: str = "",
    backing_format: str = "",
) -> VolumeFacts:
    """Make an empty volume, or one that stands on the volume at `backing_path`.

    Raises Invalid for name, format or size, Conflict when the name is taken, HostError
    when the pool is full.
    """
    check_name(name)
    check_format(format)
    check_capacity(capacity_bytes)
    there = _pool(conn, pool)
    document = _document(there, name, format, capacity_bytes)
    if backing_path:
        _need_backing(format, backing_path, backing_format)
        document.backing_path = backing_path
        document.backing_format = backing_format
    _need_free(there, name)
    with explaining(f"create the volume {name}"):
        made = there.createXML(str(document), 0)
        facts = facts_of(made)
    settle(there)
    return facts


@verb(deadline_s=CHANGE_S)
def empty(
    conn: libvirt.virConnect, pool: UUID, name: str, *, capacity_bytes: int
) -> VolumeFacts:
    """The volume anew, with nothing in it: raw bytes that another image may fill.

    Unasked who uses it; for what an operation makes. Raises as `create`.
    """
    check_name(name)
    check_capacity(capacity_bytes)
    there = _pool(conn, pool)
    document = _document(there, name, "raw", capacity_bytes)
    with explaining(f"empty the volume {name}"):
        if name in there.listVolumes():
            there.storageVolLookupByName(name).delete(0)
        return facts_of(there.createXML(str(document), 0))


@verb(deadline_s=COPY_S)
def clone(
    conn: libvirt.virConnect,
    pool: UUID,
    name: str,
    *,
    source_path: str,
    format: str,  # noqa: A002 - libvirt's word for it
    source_format: str = "",
) -> VolumeFacts:
    """A full copy in this format, that stands alone, made by the host. May take hours.

    `source_format` is what the source is known to be: a guest may have written another
    image's header into its raw disk. Raises as `create`, NotFound for the source, and
    Conflict when it names files that are no volumes of this host.
    """
    check_name(name)
    check_format(format)
    there = _pool(conn, pool)
    source = volume_at(conn, source_path)
    if source is None:
        raise NotFound(f"No pool of this host has a volume {source_path}.")
    _need_free(there, name)
    chains.need_harmless(conn, source_path, source_format)
    with explaining(f"copy {source_path} to {name}"):
        capacity = int(source.info()[1])
        document = _document(there, name, format, capacity)
        made = there.createXMLFrom(str(document), source, 0)
        facts = facts_of(made)
    settle(there)
    return facts


@verb(deadline_s=CHANGE_S)
def grow(conn: libvirt.virConnect, path: str, capacity_bytes: int) -> None:
    """Make the volume larger. A disk of a running guest is grown by the guest's means.

    Raises Invalid when it would shrink, Conflict when a running guest uses it.
    """
    check_capacity(capacity_bytes)
    volume = volume_at(conn, path)
    if volume is None:
        raise NotFound(f"No pool of this host has a volume {path}.")
    for user in usage.users_of(conn, (path,))[path]:
        if user.active:
            raise Conflict(
                f"Could not grow {path}: {user.name} runs with it.",
                hint="Grow it as a disk of that guest.",
            )
    with explaining(f"grow {path}"):
        now = int(volume.info()[1])
        if capacity_bytes < now:
            raise Invalid(f"{path} has {amount(now)} already; a volume never shrinks.")
        if capacity_bytes > now:
            volume.resize(capacity_bytes, 0)
        pool = volume.storagePoolLookupByVolume()
    settle(pool)


@verb(deadline_s=CHANGE_S)
def discard(conn: libvirt.virConnect, path: str) -> None:
    """Delete what this very operation has made, unasked who uses it; gone is fine.

    Raises Conflict while the host still writes it.
    """
    volume = volume_at(conn, path)
    if volume is None:
        return
    try:
        pool = volume.storagePoolLookupByVolume()
        volume.delete(0)
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_STORAGE_VOL:
            return
        raise explain(error, f"delete the unfinished {path}") from error
    settle(pool)


def check_name(name: str) -> None:
    """Nothing. Raises Invalid for a name that is no plain file name."""
    if not NAME.fullmatch(name):
        sentence = (
            "A volume's name begins with a letter or digit and has up to 200 letters, "
            "digits, dots, dashes and underscores."
        )
        raise Invalid(sentence, errors={"name": [sentence]})


def check_format(name: str) -> None:
    """Nothing. Raises Invalid for a format that is not made here."""
    if name not in FORMATS:
        sentence = f"A volume is made as {' or '.join(FORMATS)}."
        raise Invalid(sentence, errors={"format": [sentence]})


def check_capacity(capacity_bytes: int) -> None:
    """Nothing. Raises Invalid for a size that no volume has."""
    if not 0 < capacity_bytes <= LARGEST_BYTES:
        sentence = f"A volume has from 1 B to {amount(LARGEST_BYTES)}."
        raise Invalid(sentence, errors={"capacity_bytes": [sentence]})


def _need_backing(kind: str, path: str, backing_format: str) -> None:
    if kind != "qcow2":
        raise Invalid("Only a qcow2 volume can stand on another one.")
    if not path.startswith("/") or "\0" in path:
        raise Invalid(f"{path!r} is no path of a volume.")
    if backing_format not in READ_FORMATS:
        raise Invalid(
            "The format of the volume below is to be said; it is not guessed."
        )


def _pool(conn: libvirt.virConnect, uuid: UUID) -> libvirt.virStoragePool:
    with explaining(f"find the pool {uuid}"):
        return conn.storagePoolLookupByUUIDString(str(uuid))


def _need_free(pool: libvirt.virStoragePool, name: str) -> None:
    with explaining(f"look for {name} in {pool.name()}"):
        if name in pool.listVolumes():
            raise Conflict(f"{pool.name()} has a volume {name} already.")


def _document(
    pool: libvirt.virStoragePool, name: str, kind: str, capacity_bytes: int
) -> Volume:
    """What libvirt makes a volume of. Raises Invalid for a format it cannot hold."""
    with explaining(f"read the pool {pool.name()}"):
        home = Pool.parse(pool.XMLDesc(0))
    if home.type in _RAW_ONLY and kind != "raw":
        raise Invalid(
            f"The pool {home.name} holds raw volumes only.",
            errors={"format": ["Choose raw: this pool has no files."]},
        )
    whole = home.type in _WHOLE
    document = Volume.make(name=name)
    document.capacity = capacity_bytes
    document.allocation = capacity_bytes if whole else 0
    if home.type not in _RAW_ONLY:
        document.format = kind
        if kind == "qcow2":
            document.compat = "1.1"
    return document
