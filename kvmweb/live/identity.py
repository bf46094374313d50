"""Who is behind a socket: asked when it opens, and again while it lives."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from importlib import import_module
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

from django.conf import settings
from django.contrib.auth import get_user
from django.db import close_old_connections
from django.http import HttpRequest
from django.http.request import split_domain_port, validate_host

from kvmweb.accounts import bearer
from kvmweb.accounts.models import User
from kvmweb.accounts.second import half

T = TypeVar("T")

_THREADS = ThreadPoolExecutor(2, thread_name_prefix="live")
_sessions = import_module(settings.SESSION_ENGINE)


@dataclass(frozen=True, slots=True)
class Caller:
    """By what somebody is known: a session or a token."""

    session_key: str = field(default="", repr=False)
    token: str = field(default="", repr=False)

    def user(self) -> User | None:
        """Who it is now; None once signed out, disabled, revoked or expired."""
        if self.token:
            token = bearer.find(self.token)
            return token.user if token else None
        if not self.session_key:
            return None
        request = HttpRequest()
        request.session = _sessions.SessionStore(self.session_key)
        found = get_user(request)
        if not isinstance(found, User) or not half.stands(request.session, found):
            return None
        return found


def caller(scope: dict[str, Any]) -> Caller:
    """What the socket's first request says about who it is."""
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    if token := query.get("token", [""])[0]:
        return Caller(token=token)
    try:
        cookies = SimpleCookie(_header(scope, b"cookie"))
    except CookieError:
        return Caller()
    session = cookies.get(settings.SESSION_COOKIE_NAME)
    return Caller(session_key=session.value if session else "")


def same_site(scope: dict[str, Any]) -> bool:
    """Whether our own pages, or no page at all, opened the socket."""
    host = _header(scope, b"host")
    if not validate_host(split_domain_port(host)[0], settings.ALLOWED_HOSTS):
        return False
    origin = _header(scope, b"origin")
    if not origin:
        return True  # no browser: it has no cookies that another site could use
    return (
        urlsplit(origin).netloc.lower() == host.lower()
        or origin in settings.CSRF_TRUSTED_ORIGINS
    )


async def in_thread(ask: Callable[..., T], *args: object) -> T:
    """Ask the database beside the event loop."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_THREADS, _with_fresh_connection, ask, *args)


def _with_fresh_connection(ask: Callable[..., T], *args: object) -> T:
    close_old_connections()
    try:
        return ask(*args)
    finally:
        close_old_connections()


def _header(scope: dict[str, Any], name: bytes) -> str:
    values = [value for key, value in scope["headers"] if key == name]
    return values[0].decode("latin-1") if values else ""
