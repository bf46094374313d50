"""The checksum of a volume's content, read through its host: the main of a child.

Nothing of it lies on our disk, and one piece at a time in memory.
"""

import hashlib
import time
from dataclasses import dataclass

import libvirt

from kvmweb.errors import AppError, NotFound
from kvmweb.virt import streams
from kvmweb.virt.children import Channel
from kvmweb.virt.errors import explaining
from kvmweb.virt.opening import open_libvirt
from kvmweb.virt.storage import volume_at
from kvmweb.virt.transfer import Done, Moved
from kvmweb.virt.types import Address

_TELL_EVERY_S = 0.25


@dataclass(frozen=True, slots=True)
class Read:
    """All of it was read."""

    sha256: str
    length_bytes: int


def read(channel: Channel, address: Address, path: str) -> None:
    """Tell Moved now and then, then Done and Read, or the AppError that ended it."""
    try:
        with open_libvirt(address) as conn:
            found = _read(channel, conn, path)
        channel.send(Done(found.length_bytes))
        channel.send(found)
    except AppError as error:
        channel.send(error)


def _read(channel: Channel, conn: libvirt.virConnect, path: str) -> Read:
    digest, total, told_at = hashlib.sha256(), 0, 0.0
    with explaining(f"read {path}"):
        volume = volume_at(conn, path)
        if volume is None:
            raise NotFound(f"No pool of this host has a volume {path}.")
        stream = conn.newStream(0)
        volume.download(stream, 0, 0, 0)
        try:
            while piece := stream.recv(streams.PIECE_BYTES):
                digest.update(piece)
                total += len(piece)
                if time.monotonic() - told_at > _TELL_EVERY_S:
                    told_at = time.monotonic()
                    channel.send(Moved(total))
            stream.finish()
        except BaseException:
            streams.stop(stream)
            raise
    return Read(digest.hexdigest(), total)
