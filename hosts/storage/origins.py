"""Files of other machines, fetched without becoming a way into our own network.

A name is resolved once and each of its addresses judged; the connection goes to the
address that was judged. A redirect is a new address and judged like the first.
"""

import http.client
import ipaddress
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urljoin, urlsplit

from django.conf import settings

from kvmweb.errors import HostError, Invalid

_LONGEST = 2000
_REDIRECTS = 5
_WAIT_S = 30.0
_CLEAN = re.compile(r"[!-~]+")
SHA256 = re.compile(r"[0-9a-fA-F]{64}")


def check(url: str, sha256: str = "") -> None:
    """Nothing. Raises Invalid for what is no plain http or https address."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _invalid("url", "This is no address.") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise _invalid("url", "Give an address that begins with https:// or http://.")
    if parts.username or parts.password or port == 0:
        raise _invalid(
            "url", "The address may hold no user, no password and no port 0."
        )
    if len(url) > _LONGEST or not _CLEAN.fullmatch(url):
        raise _invalid("url", "The address is too long, or holds odd characters.")
    if sha256 and not SHA256.fullmatch(sha256):
        raise _invalid("sha256", "A SHA-256 checksum has 64 hexadecimal digits.")


@contextmanager
def opened(url: str) -> Iterator[http.client.HTTPResponse]:
    """The answer to a GET, wherever it is redirected to. Raises Invalid, HostError."""
    for _ in range(_REDIRECTS + 1):
        check(url)
        connection = _connected(url)
        try:
            answer = _asked(connection, url)
            if answer.status in (301, 302, 303, 307, 308):
                url = urljoin(url, answer.headers.get("Location", ""))
                continue
            if answer.status != http.HTTPStatus.OK:
                raise HostError(f"{_server(url)} answered {answer.status}.")
            yield answer
            return
        finally:
            connection.close()
    raise HostError("The address is redirected too often.")


def _asked(
    connection: http.client.HTTPConnection, url: str
) -> http.client.HTTPResponse:
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {"Accept-Encoding": "identity", "User-Agent": "kvmweb"}
    try:
        connection.request("GET", path, headers=headers)
        return connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        raise HostError(f"{_server(url)} did not answer: {error}.") from error


def _connected(url: str) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    name = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    address = _judged(name, port)
    connection = http.client.HTTPConnection(name, port, timeout=_WAIT_S)
    try:
        plain = socket.create_connection((address, port), _WAIT_S)
        if parts.scheme == "https":
            context = ssl.create_default_context()
            connection.sock = context.wrap_socket(plain, server_hostname=name)
        else:
            connection.sock = plain
    except OSError as error:
        raise HostError(f"{_server(url)} cannot be reached: {error}.") from error
    return connection


def _judged(name: str, port: int) -> str:
    """An address of this name; all that it has are judged. Raises Invalid, HostError."""
    try:
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise HostError(f"Nobody knows a machine named {name}.") from error
    addresses = [str(each[4][0]) for each in found]
    for text in addresses:
        if not _allowed(text):
            raise _invalid(
                "url",
                f"{name} is an address of a private network ({text}); files are fetched "
                "from public ones, and from KVMWEB_FETCH_NETWORKS.",
            )
    return addresses[0]


def _allowed(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    address = mapped or address
    if any(address in ipaddress.ip_network(net) for net in settings.FETCH_NETWORKS):
        return True
    return address.is_global and not address.is_multicast


def _server(url: str) -> str:
    return urlsplit(url).hostname or "The server"


def _invalid(field: str, sentence: str) -> Invalid:
    return Invalid(sentence, errors={field: [sentence]})
