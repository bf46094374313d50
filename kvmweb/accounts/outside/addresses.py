"""Where the settings say that people outside are known. Needs no library of theirs."""

from urllib.parse import urlsplit

from django.conf import settings

from kvmweb.errors import Forbidden

LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def need_safe(address: str) -> None:
    """Nothing. Raises Forbidden unless it is https, or on this machine."""
    parts = urlsplit(address)
    if parts.scheme == "https" and parts.hostname:
        return
    if parts.scheme == "http" and parts.hostname in LOOPBACK:
        return
    raise Forbidden("The provider of sign-ins must be reached by https.")


def directory() -> tuple[str, int, bool] | None:
    """Host, port, and whether TLS is there from the first byte; None if it is no URL."""
    try:
        parts = urlsplit(settings.LDAP_URL)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("ldap", "ldaps") or not parts.hostname:
        return None
    encrypted = parts.scheme == "ldaps"
    return parts.hostname, port or (636 if encrypted else 389), encrypted
