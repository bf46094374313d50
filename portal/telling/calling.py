"""A POST to an address that somebody gave, which must not become a way into our network.

The name is resolved once, all its addresses are judged, and the connection goes to one
that was judged. Redirects are not followed, the answer's body is not read.
"""

import http.client
import ipaddress
import socket
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

from hosts.storage.origins import check
from kvmweb.deadline import cut_after
from kvmweb.errors import Invalid
from kvmweb.mail import NotDelivered

WHOLE_S = 15.0  # from the first packet to the answer's first lines
_CONNECT_S = 5.0
_WAIT_S = 10.0
_PORTS = {"http": 80, "https": 443}
_WEB = {80, 443}
_FREE = 1024  # below it live other services than webs
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def need_callable(url: str, *, private: bool) -> None:
    """Nothing. Raises Invalid for what is no address of a web server.

    Whether its machine may be called is judged at each call: names move.
    """
    check(url)
    if private:
        return
    parts = urlsplit(url)
    port = parts.port or _PORTS[parts.scheme]
    if port not in _WEB and port < _FREE:
        sentence = "Give port 80, 443 or one from 1024 on."
        raise Invalid(sentence, errors={"url": [sentence]})
    try:
        written = ipaddress.ip_address(parts.hostname or "")
    except ValueError:
        return
    if not is_public(written):
        sentence = f"{written} is an address of a private network."
        raise Invalid(
            sentence,
            errors={"url": [sentence]},
            hint="An administrator may allow it by KVMWEB_WEBHOOK_PRIVATE=on.",
        )


def post(url: str, body: bytes, headers: Mapping[str, str], *, private: bool) -> int:
    """What it answered. Raises NotDelivered when nobody answers, or who may not be asked."""
    need_callable(url, private=private)
    parts = urlsplit(url)
    name, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection = http.client.HTTPConnection(name, port, timeout=_WAIT_S)
    try:
        with cut_after(WHOLE_S, lambda: connection.sock):
            _connect(connection, _judged(name, port, private=private), parts.scheme)
            connection.request("POST", path, body, dict(headers))
            return connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise NotDelivered(f"{name} did not answer: {_plain(error)}.") from error
    finally:
        connection.close()


def place_of(url: str) -> str:
    """As much of it as may be shown: "https://chat.example.org"."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"[:300]


def is_public(address: Address) -> bool:
    """Whether it is of the public network, also by what it carries in itself."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is None and address.teredo:
            return False
        if inner is not None:
            return is_public(inner)
    return address.is_global and not address.is_multicast


def _connect(connection: http.client.HTTPConnection, address: str, scheme: str) -> None:
    plain = socket.create_connection((address, connection.port), _CONNECT_S)
    plain.settimeout(_WAIT_S)
    connection.sock = plain
    if scheme == "https":
        wrapped = ssl.create_default_context().wrap_socket(
            plain, server_hostname=connection.host, do_handshake_on_connect=False
        )
        connection.sock = wrapped
        wrapped.do_handshake()


def _judged(name: str, port: int, *, private: bool) -> str:
    """An address of this name, once all that it has were judged."""
    try:
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NotDelivered(f"Nobody knows a machine named {name}.") from error
    addresses = [str(each[4][0]) for each in found]
    for text in addresses:
        if not private and not is_public(ipaddress.ip_address(text.partition("%")[0])):
            raise NotDelivered(
                f"{name} is an address of a private network.",
                hint="An administrator may allow it by KVMWEB_WEBHOOK_PRIVATE=on.",
            )
    return addresses[0]


def _plain(error: Exception) -> str:
    said = " ".join(str(error).split())[:200]
    return said.rstrip(".") or type(error).__name__
