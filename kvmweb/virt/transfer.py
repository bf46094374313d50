"""Volumes' contents between a Unix socket of ours and a host: the mains of children.

A child listens on a private socket; whoever brings or takes the content connects once:

    receive   client -> child   frames; an empty one is the end of a whole body
              child -> client   one line of JSON: {"ok": true} or {"code", "detail", …}
    give      child -> client   one line of JSON: {"length": bytes} or {"code", …},
                                then frames; an empty one is the end of all of it

A frame is its length in 4 bytes, big-endian, and so many bytes. A connection that ends
without an empty frame was cut off. Nothing is kept: a child holds one piece at a time.
"""

import json
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import libvirt

from kvmweb.errors import AppError, HostError, Invalid, NotFound
from kvmweb.virt import images, streams
from kvmweb.virt.children import Channel
from kvmweb.virt.errors import explaining
from kvmweb.virt.opening import open_libvirt
from kvmweb.virt.storage import settle, volume_at
from kvmweb.virt.types import Address

FRAME = struct.Struct(">I")
LONGEST_FRAME = 4 << 20
_COME_S = 20.0
_HEARD_S = 2.0
_IDLE_S = 60
_IDLE = struct.pack("ll", _IDLE_S, 0)
_TELL_EVERY_S = 0.25


@dataclass(frozen=True, slots=True)
class Listening:
    """The socket is there; the client may come."""


@dataclass(frozen=True, slots=True)
class Moved:
    """So many bytes have passed."""

    bytes: int


@dataclass(frozen=True, slots=True)
class Done:
    """All of it has passed, and the host has taken it."""

    bytes: int


@dataclass(frozen=True, slots=True)
class Upload:
    """What is to be filled, and what may come."""

    path: str  # of the volume
    socket_path: str
    format: str  # declared; the first bytes must agree. "" for copies of our own
    most_bytes: int | None  # the space there is; None: the file grows


@dataclass(frozen=True, slots=True)
class Download:
    """What is to be read, and the socket it goes to."""

    path: str
    socket_path: str


def receive(channel: Channel, address: Address, upload: Upload) -> None:
    """Fill a volume with what the one client sends.

    Tells Listening, Moved…, and in the end Done or the AppError that ended it.
    """
    _tell_outcome(channel, lambda: _receive(channel, address, upload))


def give(channel: Channel, address: Address, download: Download) -> None:
    """Send a volume's content to the one client. Tells as `receive`."""
    _tell_outcome(channel, lambda: _give(channel, address, download))


def push(channel: Channel, address: Address, download: Download) -> None:
    """Send a volume's content to a `receive` that listens there. Tells Moved… Done."""
    _tell_outcome(channel, lambda: _push(channel, address, download))


def _tell_outcome(channel: Channel, act: Callable[[], int]) -> None:
    try:
        channel.send(Done(act()))
    except AppError as error:
        channel.send(error)
    except OSError as error:
        channel.send(HostError(f"The way between the two ends broke: {error}."))


def _receive(channel: Channel, address: Address, upload: Upload) -> int:
    with open_libvirt(address) as conn, _client(channel, upload.socket_path) as client:
        try:
            total = _take(channel, conn, client, upload)
        except AppError as error:
            _answer(client, _told(error))
            _let_go(client)
            raise
        _answer(client, {"ok": True, "bytes": total})
        return total


def _take(
    channel: Channel, conn: libvirt.virConnect, client: socket.socket, upload: Upload
) -> int:
    """The body into the volume; its length. Nothing is written before it was judged."""
    frames = _frames(client)
    head = bytearray()
    while len(head) < images.HEAD_BYTES and (piece := next(frames)):
        head += piece
    whole = len(head) < images.HEAD_BYTES
    if upload.format:
        images.inspect(bytes(head), upload.format, len(head) if whole else None)
    with explaining(f"write {upload.path}"):
        volume = _found(conn, upload.path)
        stream = conn.newStream(0)
        volume.upload(stream, 0, 0, 0)
        try:
            rest = iter(()) if whole else frames
            total = _pump(channel, stream, bytes(head), rest, upload.most_bytes)
            stream.finish()
        except BaseException:
            streams.stop(stream)
            raise
        settle(volume.storagePoolLookupByVolume())
    return total


def _pump(
    channel: Channel,
    stream: libvirt.virStream,
    head: bytes,
    frames: Iterator[bytes],
    most_bytes: int | None,
) -> int:
    teller, total = _Teller(channel), 0

    def put(data: bytes) -> None:
        nonlocal total
        total += len(data)
        if most_bytes is not None and total > most_bytes:
            raise Invalid(
                f"The file is larger than the volume, which has {most_bytes} bytes.",
                hint="Make a larger volume for it.",
            )
        for piece in streams.pieces(data):
            streams.send(stream, piece)
        teller.tell(total)

    put(head)
    while piece := next(frames, b""):
        put(piece)
    return total


def _give(channel: Channel, address: Address, download: Download) -> int:
    with (
        open_libvirt(address) as conn,
        _client(channel, download.socket_path) as client,
    ):
        try:
            length = _length(conn, download.path)
            stream = _opened(conn, download.path)
        except AppError as error:
            _answer(client, _told(error))
            raise
        _answer(client, {"length": length})
        return _pour(channel, stream, client)


def _push(channel: Channel, address: Address, download: Download) -> int:
    with open_libvirt(address) as conn, socket.socket(socket.AF_UNIX) as there:
        there.settimeout(_IDLE_S)
        there.connect(download.socket_path)
        total = _pour(channel, _opened(conn, download.path), there)
        with there.makefile("rb") as answers:
            said = json.loads(answers.readline() or b"{}")
    if not said.get("ok"):
        raise HostError(said.get("detail", "The other end went away."))
    return total


def _pour(channel: Channel, stream: libvirt.virStream, there: socket.socket) -> int:
    teller, total = _Teller(channel), 0
    with explaining("read the volume"):
        try:
            while piece := stream.recv(streams.PIECE_BYTES):
                there.sendall(FRAME.pack(len(piece)) + piece)
                total += len(piece)
                teller.tell(total)
            stream.finish()
        except BaseException:
            streams.stop(stream)
            raise
    there.sendall(FRAME.pack(0))
    return total


class _Teller:
    """Says now and then how far it is; the worker reads it as a sign of life."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._told_at = 0.0

    def tell(self, total: int) -> None:
        now = time.monotonic()
        if now - self._told_at > _TELL_EVERY_S:
            self._told_at = now
            self._channel.send(Moved(total))


@contextmanager
def _client(channel: Channel, socket_path: str) -> Iterator[socket.socket]:
    """The one who comes to the socket. Raises HostError when nobody does."""
    with socket.socket(socket.AF_UNIX) as listening:
        path = Path(socket_path)
        path.unlink(missing_ok=True)
        listening.bind(socket_path)
        path.chmod(0o600)
        listening.listen(1)
        listening.settimeout(_COME_S)
        channel.send(Listening())
        try:
            client, _ = listening.accept()
        except TimeoutError as error:
            raise HostError("Nobody came to bring or take the content.") from error
        finally:
            path.unlink(missing_ok=True)
    with client:
        client.settimeout(None)  # the kernel waits: whole frames come by one call
        for limit in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            client.setsockopt(socket.SOL_SOCKET, limit, _IDLE)
        yield client


def _frames(client: socket.socket) -> Iterator[bytes]:
    """Pieces of a body; the last one is empty. Raises HostError when it is cut off."""
    try:
        while True:
            (length,) = FRAME.unpack(_exactly(client, FRAME.size))
            if length > LONGEST_FRAME:
                raise HostError("What came is no upload.")
            if not length:
                yield b""
            for start in range(0, length, streams.PIECE_BYTES):
                yield _exactly(client, min(streams.PIECE_BYTES, length - start))
    except (OSError, EOFError) as error:
        raise HostError("The upload was cut off in the middle.") from error


def _exactly(client: socket.socket, length: int) -> bytes:
    data = client.recv(length, socket.MSG_WAITALL)
    if len(data) < length:
        raise EOFError
    return data


def _answer(client: socket.socket, said: dict[str, Any]) -> None:
    with suppress(OSError):  # it has gone: nobody is there to be told
        client.sendall(json.dumps(said).encode() + b"\n")


def _let_go(client: socket.socket) -> None:
    """Read on until the client has heard the answer: closed at once, it would be lost."""
    client.settimeout(_HEARD_S)
    with suppress(OSError):
        while client.recv(streams.PIECE_BYTES):
            pass


def _told(error: AppError) -> dict[str, Any]:
    return {
        "code": error.code,
        "status": error.status,
        "detail": error.detail,
        "hint": error.hint,
    }


def _found(conn: libvirt.virConnect, path: str) -> libvirt.virStorageVol:
    volume = volume_at(conn, path)
    if volume is None:
        raise NotFound(f"No pool of this host has a volume {path}.")
    return volume


def _opened(conn: libvirt.virConnect, path: str) -> libvirt.virStream:
    with explaining(f"read {path}"):
        stream = conn.newStream(0)
        _found(conn, path).download(stream, 0, 0, 0)
    return stream


def _length(conn: libvirt.virConnect, path: str) -> int:
    """How long its content is: a file's own length, a device's size."""
    with explaining(f"read {path}"):
        volume = _found(conn, path)
        told = volume.infoFlags(libvirt.VIR_STORAGE_VOL_GET_PHYSICAL)
    return int(told[2])
