"""The bytes of a volume, through libvirt's own connection to its host."""

from collections.abc import Iterator

import libvirt

from kvmweb.errors import Invalid, NotFound
from kvmweb.virt.connection import CHANGE_S, READ_S, verb
from kvmweb.virt.errors import explaining
from kvmweb.virt.storage import settle, volume_at

SMALL_BYTES = 16 << 20
PIECE_BYTES = 262120  # what libvirt puts into one message


@verb(deadline_s=CHANGE_S)
def write(conn: libvirt.virConnect, path: str, data: bytes) -> None:
    """Put these bytes at the beginning of the volume; at most 16 MiB.

    Raises Invalid for more, NotFound, HostError when the pool is full.
    """
    if len(data) > SMALL_BYTES:
        raise Invalid("This way is for small volumes: at most 16 MiB.")
    with explaining(f"write {path}"):
        volume = _found(conn, path)
        stream = conn.newStream(0)
        volume.upload(stream, 0, len(data), 0)
        try:
            for piece in pieces(data):
                send(stream, piece)
            stream.finish()
        except BaseException:
            stop(stream)
            raise
        pool = volume.storagePoolLookupByVolume()
    settle(pool)


@verb(deadline_s=READ_S)
def read_head(conn: libvirt.virConnect, path: str, length: int) -> bytes:
    """The first bytes of the volume as they lie there; fewer when it is shorter.

    Raises Invalid for more than 16 MiB, NotFound.
    """
    if not 0 < length <= SMALL_BYTES:
        raise Invalid("This way is for small pieces: from 1 byte to 16 MiB.")
    with explaining(f"read {path}"):
        stream = conn.newStream(0)
        _found(conn, path).download(stream, 0, length, 0)
        head = bytearray()
        try:
            while len(head) < length and (piece := stream.recv(PIECE_BYTES)):
                head += piece
        finally:
            stop(stream)
    return bytes(head[:length])


def pieces(data: bytes) -> Iterator[bytes]:
    """The data in parts that fit a message."""
    return (
        data[start : start + PIECE_BYTES] for start in range(0, len(data), PIECE_BYTES)
    )


def send(stream: libvirt.virStream, data: bytes) -> None:
    """All of the data; libvirt may take it in parts. Raises libvirtError."""
    sent = 0
    while sent < len(data):
        sent += int(stream.send(data[sent:] if sent else data))


def stop(stream: libvirt.virStream) -> None:
    """End it, whole or not."""
    try:
        stream.abort()
    except libvirt.libvirtError:
        return  # it has ended already


def _found(conn: libvirt.virConnect, path: str) -> libvirt.virStorageVol:
    volume = volume_at(conn, path)
    if volume is None:
        raise NotFound(f"No pool of this host has a volume {path}.")
    return volume
