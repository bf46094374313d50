"""A guest's serial port as a socket: libvirt's stream of bytes, carried by a child."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import reduction
from uuid import UUID

import libvirt

from kvmweb.errors import AppError, HostTimeout, HostUnreachable
from kvmweb.virt import connection, uri
from kvmweb.virt.children import Channel
from kvmweb.virt.connection import OPEN_S, READ_S
from kvmweb.virt.errors import explaining
from kvmweb.virt.opening import open_libvirt
from kvmweb.virt.types import Address

_PIECE = 16384


@contextmanager
def open_port(
    address: Address, uuid: UUID, *, deadline_s: float = OPEN_S + READ_S
) -> Iterator[socket.socket]:
    """A socket with what the running domain's first serial port says and hears.

    Whoever else had it open loses it. It ends with the block.
    Raises NotFound, Conflict, Unsupported, HostUnreachable, HostTimeout.
    """
    label = uri.label_of(address)
    child = connection.spawn(_carry, address, uuid)
    try:
        if not child.channel.poll(deadline_s):
            detail = f"No serial port came from {label} within {deadline_s:g} s."
            raise HostTimeout(detail, hint="The host or this guest may hang.")
        fault = child.channel.recv()
        if fault is not None:
            raise fault
        handle = reduction.recv_handle(child.channel)
        with socket.socket(fileno=handle) as port:
            yield port
    except EOFError as error:
        detail = f"The connection to {label} ended before a serial port came."
        raise HostUnreachable(detail) from error
    finally:
        child.kill()


# From here on: in the child.


def _carry(channel: Channel, address: Address, uuid: UUID) -> None:
    try:
        with open_libvirt(address) as conn:
            stream = conn.newStream(0)
            with explaining(f"find the guest {uuid}"):
                domain = conn.lookupByUUIDString(str(uuid))
            with explaining(f"open the serial port of {domain.name()}"):
                domain.openConsole(None, stream, libvirt.VIR_DOMAIN_CONSOLE_FORCE)
            ours, theirs = socket.socketpair()
            with theirs:
                channel.send(None)
                reduction.send_handle(channel, theirs.fileno(), 0)
            _both_ways(stream, ours)
    except AppError as error:
        channel.send(error)


def _both_ways(stream: libvirt.virStream, ours: socket.socket) -> None:
    """Until either side ends; the child ends with it."""
    down = threading.Thread(target=_down, args=(stream, ours), daemon=True)
    down.start()
    with contextlib.suppress(OSError, libvirt.libvirtError):
        while heard := ours.recv(_PIECE):
            while heard:
                sent = stream.send(heard)
                if sent < 0:
                    return
                heard = heard[sent:]


def _down(stream: libvirt.virStream, ours: socket.socket) -> None:
    with contextlib.suppress(OSError, libvirt.libvirtError):
        while said := stream.recv(_PIECE):
            if isinstance(said, int):
                break
            ours.sendall(said)
    with contextlib.suppress(OSError):
        ours.shutdown(socket.SHUT_RDWR)
