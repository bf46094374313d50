"""The settings of signing in, read before anybody signs in: a word too much is told."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register

from kvmweb.accounts.outside import addresses, groups
from kvmweb.errors import AppError


@register(Tags.security)
def settings_of_signing_in(**_kwargs: Any) -> list[CheckMessage]:
    """An error for each setting that cannot mean what it says."""
    return [
        Error(said, id=f"kvmweb.E{number}") for number, said in sorted(_complaints())
    ]


def _complaints() -> Iterator[tuple[int, str]]:
    if settings.SECOND_FACTOR not in ("off", "admins", "all"):
        yield 101, "KVMWEB_SECOND_FACTOR is one of off, admins, all."
    try:
        groups.meanings(settings.GROUPS)
    except AppError as error:
        yield 102, str(error)
    if settings.OIDC_ISSUER:
        yield from _of_the_provider()
    if settings.LDAP_URL:
        yield from _of_the_directory()


def _of_the_provider() -> Iterator[tuple[int, str]]:
    try:
        addresses.need_safe(settings.OIDC_ISSUER)
    except AppError as error:
        yield 103, f"KVMWEB_OIDC_ISSUER: {error}"
    if not settings.OIDC_CLIENT_ID:
        yield 104, "KVMWEB_OIDC_ISSUER needs KVMWEB_OIDC_CLIENT_ID."


def _of_the_directory() -> Iterator[tuple[int, str]]:
    if not addresses.directory():
        yield 105, "KVMWEB_LDAP_URL reads like ldaps://directory.example.org."
    if not settings.LDAP_USER_BASE:
        yield 106, "KVMWEB_LDAP_URL needs KVMWEB_LDAP_USER_BASE."
    if "{username}" not in settings.LDAP_USER_FILTER:
        yield 107, "KVMWEB_LDAP_USER_FILTER holds {username} where the name goes."
