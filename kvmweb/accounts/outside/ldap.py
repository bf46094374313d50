"""The wire to a directory (LDAP, Active Directory): find a person, try their password.

At most four calls a sign-in, each with a deadline; over TLS, except on this machine.
What people type reaches a filter escaped, and an empty password reaches nobody: many
directories take it for a visitor and say yes.
"""

import ssl
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ldap3
from django.conf import settings
from ldap3.core.exceptions import LDAPException, LDAPInvalidCredentialsResult
from ldap3.utils.conv import escape_filter_chars
from ldap3.utils.dn import parse_dn

from kvmweb.accounts.outside.addresses import LOOPBACK, directory
from kvmweb.accounts.outside.services import Person
from kvmweb.errors import Unavailable

CONNECT_S, READ_S = 3, 5
PROVIDER = "directory"  # whatever its address is today
_AT_ONCE = threading.BoundedSemaphore(4)
_WAIT_S = 5
_MOST_GROUPS = 500
_SUBJECTS = ("entryUUID", "objectGUID")  # what stays when people are renamed
_WANTED = [*_SUBJECTS, "cn", "displayName", "mail", "memberOf"]


def configured() -> bool:
    """Whether there is a directory."""
    return bool(settings.LDAP_URL and settings.LDAP_USER_BASE)


def person(username: str, password: str) -> Person | None:
    """Who has this name and this password there; None when nobody has.

    Raises Unavailable when the directory does not answer, or not as it should.
    """
    if not configured() or not username or not password:
        return None
    if not _AT_ONCE.acquire(timeout=_WAIT_S):
        raise Unavailable("The directory is busy.", hint="Try again in a moment.")
    try:
        with _bound(settings.LDAP_BIND_DN, settings.LDAP_BIND_PASSWORD) as service:
            entry = _entry(service, username)
            if entry is None or not _may_bind(str(entry["dn"]), password):
                return None
            return _told(entry, username, _groups(service, entry, username))
    except (LDAPException, OSError, ssl.SSLError) as error:
        raise Unavailable(
            "The directory does not answer as it should.",
            hint="Try again in a moment.",
        ) from error
    finally:
        _AT_ONCE.release()


class _Tls(ldap3.Tls):  # type: ignore[misc]  # ldap3 has no hints
    """TLS as Python does it today: ldap3's own compares no addresses in certificates."""

    def wrap_socket(self, connection: Any, do_handshake: bool = False) -> None:  # noqa: FBT001, FBT002  as ldap3 calls it
        """Encrypt the connection, if the certificate is of the machine that is meant."""
        context = ssl.create_default_context(cafile=self.ca_certs_file)
        connection.socket = context.wrap_socket(
            connection.socket, server_hostname=connection.server.host
        )


def _server() -> tuple[Any, bool]:
    """The directory, and whether the connection is to be encrypted by StartTLS."""
    found = directory()
    if found is None:
        raise Unavailable("KVMWEB_LDAP_URL is no address of a directory.")
    host, port, encrypted = found
    tls = _Tls(validate=ssl.CERT_REQUIRED, ca_certs_file=settings.LDAP_CA_FILE or None)
    server = ldap3.Server(
        host,
        port=port,
        use_ssl=encrypted,
        tls=tls,
        get_info=ldap3.NONE,
        connect_timeout=CONNECT_S,
    )
    return server, not encrypted and host not in LOOPBACK


@contextmanager
def _bound(dn: str, password: str) -> Iterator[Any]:
    """A connection as this entry; as a visitor where there is none."""
    server, start_tls = _server()
    connection = ldap3.Connection(
        server,
        user=dn or None,
        password=password or None,
        auto_bind=ldap3.AUTO_BIND_NONE,
        auto_referrals=False,
        read_only=True,
        raise_exceptions=True,
        receive_timeout=READ_S,
    )
    try:
        connection.open()
        if start_tls:
            connection.start_tls()
        connection.bind()
        yield connection
    finally:
        connection.unbind()


def _may_bind(dn: str, password: str) -> bool:
    try:
        with _bound(dn, password):
            return True
    except LDAPInvalidCredentialsResult:
        return False


def _entry(service: Any, username: str) -> dict[str, Any] | None:
    """The one entry of this name; None when there is none, or more than one."""
    wanted = settings.LDAP_USER_FILTER.replace(
        "{username}", escape_filter_chars(username)
    )
    found = _found(service, settings.LDAP_USER_BASE, wanted, _WANTED, most=2)
    return found[0] if len(found) == 1 else None


def _groups(service: Any, entry: dict[str, Any], username: str) -> list[str]:
    """The names of the groups that name this person, or that they name."""
    own = [_first_name(dn) for dn in _values(entry, "memberOf")]
    if not settings.LDAP_GROUP_BASE:
        return own
    wanted = settings.LDAP_GROUP_FILTER.replace(
        "{dn}", escape_filter_chars(str(entry["dn"]))
    ).replace("{username}", escape_filter_chars(username))
    found = _found(service, settings.LDAP_GROUP_BASE, wanted, ["cn"], most=_MOST_GROUPS)
    return own + [name for each in found for name in _values(each, "cn")]


def _found(
    service: Any, base: str, wanted: str, attributes: list[str], *, most: int
) -> list[dict[str, Any]]:
    try:
        service.search(
            base, wanted, attributes=attributes, size_limit=most, time_limit=READ_S
        )
    except ldap3.core.exceptions.LDAPSizeLimitExceededResult:
        return [{}, {}]  # too many to be one
    except ldap3.core.exceptions.LDAPNoSuchObjectResult:
        return []
    return [it for it in service.response if it.get("type") == "searchResEntry"]


def _told(entry: dict[str, Any], username: str, groups: list[str]) -> Person:
    return Person(
        provider=PROVIDER,
        subject=_subject(entry),
        username=username,
        name=(_values(entry, "displayName") or _values(entry, "cn") or [""])[0],
        email=(_values(entry, "mail") or [""])[0],
        groups=groups,
    )


def _subject(entry: dict[str, Any]) -> str:
    """What never changes of a person; their place where nothing else is told."""
    raw = {key.lower(): value for key, value in entry["raw_attributes"].items()}
    for name in _SUBJECTS:
        for value in raw.get(name.lower(), []):
            if name == "objectGUID":
                return str(uuid.UUID(bytes_le=value))
            return str(value.decode())
    return str(entry["dn"]).lower()[:255]


def _values(entry: dict[str, Any], name: str) -> list[str]:
    raw = {key.lower(): value for key, value in entry["raw_attributes"].items()}
    return [value.decode(errors="replace") for value in raw.get(name.lower(), [])]


def _first_name(dn: str) -> str:
    """ "cn=vm-admins,ou=groups" → "vm-admins"."""
    try:
        return str(parse_dn(dn)[0][1])
    except (LDAPException, IndexError):
        return ""
