"""What a request is once it is known who asks and from where."""

from functools import cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest

from kvmweb.accounts.models import Token, User


class UserRequest(HttpRequest):
    """A request whose sender passed the gate; `token` is None in a browser's session."""

    user: User  # the gate let nobody else in
    token: Token | None
    client_address: str


def client_address(request: HttpRequest) -> str:
    """The IP address this request came from; "" when there is none (a Unix socket).

    X-Forwarded-For counts only when the one who connected is a trusted proxy, and then
    the last address in it that is not one of ours.
    """
    peer = request.META.get("REMOTE_ADDR") or ""
    if not _trusted(peer):
        return _plain(peer)
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    hops = [hop.strip() for hop in forwarded if hop.strip()]
    while hops and _trusted(hops[-1]):
        hops.pop()
    return _plain(hops[-1]) if hops else _plain(peer)


def _plain(address: str) -> str:
    """The address as one spelling; "" when it is none."""
    try:
        return str(ip_address(address))
    except ValueError:
        return ""


def _trusted(address: str) -> bool:
    """Whether this is one of the proxies in front of us."""
    if not settings.TRUSTED_PROXY:
        return False
    if not address or address == "unix":
        return "unix" in settings.TRUSTED_PROXY
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return any(parsed in net for net in _proxies(settings.TRUSTED_PROXY))


@cache
def _proxies(words: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(w, strict=False) for w in words if w != "unix")
