"""Ways to ask an address whether it is there: ICMP, ARP, TCP; each one non-blocking.

Known to nothing but the standard library: it runs in a process of its own.
"""

import errno
import ipaddress
import os
import socket
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

_CLOSED_PORT = 9  # discard: nothing listens, so the answer is a refusal, and is one
_MOST_OPEN = 64  # connections that nobody answered
_ARP, _IPV4 = 0x0806, 0x0800
_REQUEST, _REPLY = 1, 2
_UP, _GATEWAY = 0x1, 0x2
_ROUTES = Path("/proc/net/route")
_REFUSED = {0, errno.ECONNREFUSED, errno.ECONNRESET}


class Means(Protocol):
    """One way to ask."""

    name: str

    def sockets(self) -> list[socket.socket]:
        """What to wait for."""

    def ask(self) -> None:
        """Send one question. Raises OSError."""

    def answered(self) -> bool:
        """Whether an answer has come; takes all that have."""


class Icmp:
    """An echo, as `ping` sends it."""

    name = "icmp"

    def __init__(self, address: str) -> None:
        """Raises PermissionError where this machine keeps it to itself."""
        self._six = ipaddress.ip_address(address).version == 6
        family = socket.AF_INET6 if self._six else socket.AF_INET
        protocol = socket.IPPROTO_ICMPV6 if self._six else socket.IPPROTO_ICMP
        try:
            self._socket = socket.socket(family, socket.SOCK_DGRAM, protocol)
        except PermissionError:
            self._socket = socket.socket(family, socket.SOCK_RAW, protocol)
        self._socket.settimeout(0)
        self._socket.connect((address, 0))
        self._ident = os.getpid() & 0xFFFF
        self._sequence = 0

    def sockets(self) -> list[socket.socket]:
        """Its one socket."""
        return [self._socket]

    def ask(self) -> None:
        """Send an echo request."""
        self._sequence = (self._sequence + 1) & 0xFFFF
        kind = 128 if self._six else 8
        head = struct.pack("!BBHHH", kind, 0, 0, self._ident, self._sequence)
        body = b"kvmweb"
        check = 0 if self._six else _checksum(head + body)  # the kernel does ICMPv6's
        head = struct.pack("!BBHHH", kind, 0, check, self._ident, self._sequence)
        self._socket.send(head + body)

    def answered(self) -> bool:
        """Whether an echo came back."""
        return _is_among(self._is_reply, _received(self._socket))

    def _is_reply(self, data: bytes) -> bool:
        raw = self._socket.type == socket.SOCK_RAW
        if raw and not self._six:
            data = data[(data[0] & 0xF) * 4 :]
        if len(data) < 8 or data[0] != (129 if self._six else 0):
            return False
        return not raw or data[4:6] == struct.pack("!H", self._ident)


class Arp:
    """Who has this address? Guests answer it that drop everything else."""

    name = "arp"

    def __init__(self, address: str) -> None:
        """Raises PermissionError, and OSError where a router is between."""
        link = _link_to(address)
        self._socket = socket.socket(
            socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ARP)
        )
        self._socket.settimeout(0)
        self._socket.bind((link, _ARP))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
            way.connect((address, _CLOSED_PORT))
            own = socket.inet_aton(way.getsockname()[0])
        self._link, self._address = link, socket.inet_aton(address)
        mac = bytes.fromhex(
            Path(f"/sys/class/net/{link}/address").read_text().strip().replace(":", "")
        )
        head = struct.pack("!HHBBH", 1, _IPV4, 6, 4, _REQUEST)
        self._question = head + mac + own + bytes(6) + self._address

    def sockets(self) -> list[socket.socket]:
        """Its one socket."""
        return [self._socket]

    def ask(self) -> None:
        """Ask everybody on the link."""
        self._socket.sendto(self._question, (self._link, _ARP, 0, 0, b"\xff" * 6))

    def answered(self) -> bool:
        """Whether the address's owner said so."""
        return _is_among(self._is_reply, _received(self._socket))

    def _is_reply(self, data: bytes) -> bool:
        if len(data) < 28:
            return False
        return data[6:8] == struct.pack("!H", _REPLY) and data[14:18] == self._address


class Tcp:
    """A connection to a port that is closed: being refused is an answer."""

    name = "tcp"

    def __init__(self, address: str) -> None:
        six = ipaddress.ip_address(address).version == 6
        self._family = socket.AF_INET6 if six else socket.AF_INET
        self._place = (address, _CLOSED_PORT)
        self._open: list[socket.socket] = []

    def sockets(self) -> list[socket.socket]:
        """Those that wait for an answer."""
        return list(self._open)

    def ask(self) -> None:
        """Begin to connect."""
        asking = socket.socket(self._family, socket.SOCK_STREAM)
        asking.settimeout(0)
        begun = asking.connect_ex(self._place)
        if begun not in {errno.EINPROGRESS, *_REFUSED}:
            asking.close()
            raise OSError(begun, os.strerror(begun))
        self._open.append(asking)
        if len(self._open) > _MOST_OPEN:
            self._open.pop(0).close()

    def answered(self) -> bool:
        """Whether one of them was let in or refused."""
        found = False
        for asking in list(self._open):
            code = asking.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            let_in = code == 0 and _connected(asking)
            if code or let_in:
                self._open.remove(asking)
                asking.close()
            found = found or let_in or code in _REFUSED - {0}
        return found


def possible(address: str) -> list[Means]:
    """Every way to ask this address that this process may use, the best first."""
    found: list[Means] = []
    for way in (Icmp, Arp, Tcp):
        with suppress(OSError):  # not permitted here, or nothing leads there
            found.append(way(address))
    return found


def _connected(asking: socket.socket) -> bool:
    try:
        asking.getpeername()
    except OSError:
        return False
    return True


def _is_among(is_reply: Callable[[bytes], bool], heard: Iterable[bytes]) -> bool:
    """Whether there is a reply among them; takes them all."""
    return sum(is_reply(data) for data in heard) > 0


def _received(source: socket.socket) -> Iterator[bytes]:
    while True:
        try:
            yield source.recv(2048)
        except BlockingIOError:
            return
        except OSError:  # what a router says of earlier ones
            continue


def _link_to(address: str) -> str:
    """The link this IPv4 address is on itself. Raises OSError when it is on none."""
    wanted = int.from_bytes(socket.inet_aton(address), "little")
    best, found = -1, ""
    for line in _ROUTES.read_text().splitlines()[1:]:
        link, net, _, flags, _, _, _, mask = line.split()[:8]
        net_bits, mask_bits = int(net, 16), int(mask, 16)
        if not int(flags, 16) & _UP or wanted & mask_bits != net_bits:
            continue
        if (length := mask_bits.bit_count()) > best:
            best = length
            found = "" if int(flags, 16) & _GATEWAY else link
    if not found:
        raise OSError(errno.ENETUNREACH, "It is on no link of this machine.")
    return found


def _checksum(data: bytes) -> int:
    pairs = zip(data[::2], data[1::2], strict=True)
    total = sum(high << 8 | low for high, low in pairs)
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF
