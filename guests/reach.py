"""From a taken ticket to a socket that speaks with the guest's screen.

Where it is, is asked now and of the host: the port of a screen is given to the next guest
that starts. An address is the one the host was registered with, never one from a document.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.utils import timezone

from guests import console
from guests.models import ConsoleTicket
from hosts.vault import address_of
from kvmweb.errors import Conflict, HostUnreachable, Unsupported
from kvmweb.virt import connection, domains, screens, serial, ssh
from kvmweb.virt.connection import Host
from kvmweb.virt.types import Address, DomainFacts, GraphicsFacts, Transport

_LOOPBACK = "127.0.0.1"
_PASSWORD_LIFE = timedelta(seconds=90)  # to sign in with; who is in stays in
_CONNECT_S = 3.0


@contextmanager
def screen(ticket: ConsoleTicket, text: str) -> Iterator[socket.socket]:
    """A connected socket to what the ticket is for, closed after the block.

    Raises AppError with a sentence for the person who waits.
    """
    host = ticket.guest.host
    if host is None:
        raise Conflict(f"{ticket.guest.name} is on no host now.")
    address = address_of(host)
    if ticket.kind == ConsoleTicket.Kind.SERIAL:
        with serial.open_port(address, ticket.guest_id) as port:
            yield port
    elif address.transport in (Transport.LOCAL, Transport.UNIX):
        with screens.open_screen(address, ticket.guest_id) as handed_over:
            yield handed_over
    else:
        with _remote(address, ticket, console.password_of(text)) as far:
            yield far


@contextmanager
def _remote(
    address: Address, ticket: ConsoleTicket, password: str
) -> Iterator[socket.socket]:
    with connection.connect(address) as host:
        graphics = _vnc(host.run(domains.look, ticket.guest_id), ticket)
        _set_password(host, ticket, password)
    if address.transport != Transport.SSH:
        with _to_port(address, graphics) as direct:
            yield direct
        return
    far = graphics.socket or _LOOPBACK
    far_port = graphics.port if far == _LOOPBACK else None
    with (
        ssh.forward(address, far, far_port) as way,
        socket.socket(socket.AF_UNIX) as tunnelled,
    ):
        tunnelled.connect(str(way.socket))
        yield tunnelled


def _vnc(domain: DomainFacts | None, ticket: ConsoleTicket) -> GraphicsFacts:
    name = ticket.guest.name
    if domain is None:
        raise Conflict(f"{name} is not on its host any more.")
    found = [each for each in domain.graphics if each.kind == "vnc"]
    if not found or not (found[0].socket or (found[0].port or 0) > 0):
        raise Conflict(f"{name} has no screen now; is it running?")
    return found[0]


def _set_password(host: Host, ticket: ConsoleTicket, password: str) -> None:
    until = timezone.now() + _PASSWORD_LIFE
    try:
        host.run(domains.set_vnc_password, ticket.guest_id, password, until)
    except Unsupported:
        return  # it was started without any, and then it asks for none


@contextmanager
def _to_port(address: Address, graphics: GraphicsFacts) -> Iterator[socket.socket]:
    if not graphics.port:
        raise Conflict("This screen is a socket on its host; reach the host by ssh.")
    try:
        place = (address.host, graphics.port)
        with socket.create_connection(place, timeout=_CONNECT_S) as direct:
            yield direct
    except OSError as error:
        detail = f"The screen's port on {address.host} does not answer: {error}."
        hint = "Does the guest's VNC listen to the network? Reach the host by ssh else."
        raise HostUnreachable(detail, hint=hint) from error
