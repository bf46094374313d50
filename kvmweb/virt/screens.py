"""A guest's screen as a socket, straight from QEMU; for hosts on this machine."""

import socket
from multiprocessing import reduction
from uuid import UUID

import libvirt

from kvmweb.errors import AppError, HostTimeout, HostUnreachable, Unsupported
from kvmweb.virt import connection, uri
from kvmweb.virt.children import Channel
from kvmweb.virt.connection import READ_S
from kvmweb.virt.errors import explaining
from kvmweb.virt.opening import open_libvirt
from kvmweb.virt.types import Address, Transport
from kvmweb.virt.xml.domain import Domain

_SAME_MACHINE = (Transport.LOCAL, Transport.UNIX)


def open_screen(
    address: Address, uuid: UUID, *, deadline_s: float = READ_S
) -> socket.socket:
    """A socket that speaks VNC with the running domain and asks for no password.

    Only a libvirtd on this machine can hand one over (`local`, `unix`); for the others
    there is `ssh.forward`, and the port. Raises Unsupported, NotFound, Conflict,
    HostUnreachable, HostTimeout.
    """
    label = uri.label_of(address)
    if address.transport not in _SAME_MACHINE:
        raise Unsupported(f"{label} is another machine: its screens have a port.")
    child = connection.spawn(_hand_over, address, uuid)
    try:
        if not child.channel.poll(deadline_s):
            detail = f"No screen came from {label} within {deadline_s:g} s."
            raise HostTimeout(detail, hint="The host or this guest may hang.")
        fault = child.channel.recv()
        if fault is not None:
            raise fault
        return socket.socket(fileno=reduction.recv_handle(child.channel))
    except EOFError as error:
        detail = f"The connection to {label} ended before a screen came."
        raise HostUnreachable(detail) from error
    finally:
        child.kill()


def _hand_over(channel: Channel, address: Address, uuid: UUID) -> None:
    try:
        with open_libvirt(address) as conn:
            handle = _opened(conn, uuid)
    except AppError as error:
        channel.send(error)
        return
    channel.send(None)
    reduction.send_handle(channel, handle, 0)


def _opened(conn: libvirt.virConnect, uuid: UUID) -> int:
    with explaining(f"find the guest {uuid}"):
        domain = conn.lookupByUUIDString(str(uuid))
    with explaining(f"open the screen of {domain.name()}"):
        for index, screen in enumerate(Domain.parse(domain.XMLDesc(0)).graphics):
            if screen.type == "vnc":
                flags = libvirt.VIR_DOMAIN_OPEN_GRAPHICS_SKIPAUTH
                return int(domain.openGraphicsFD(index, flags))
    raise Unsupported(f"{domain.name()} has no VNC screen.")
