"""Settings of signing in that cannot mean what they say are told before anybody does."""

from typing import Any

import pytest
from django.core.checks import run_checks

from kvmweb.accounts.models import User
from kvmweb.accounts.second import half

WELL = {
    "SECOND_FACTOR": "admins",
    "GROUPS": "vm-admins=admin, cn=odd=operator, web=project:web:owner",
    "OIDC_ISSUER": "https://id.example.org/realms/ours",
    "OIDC_CLIENT_ID": "panel",
    "LDAP_URL": "ldaps://directory.example.org",
    "LDAP_USER_BASE": "ou=people",
}


def _told(settings: Any, **changed: str) -> list[str]:
    for name, value in (WELL | changed).items():
        setattr(settings, name, value)
    found = run_checks(tags=["security"])
    return [it.msg for it in found if str(it.id).startswith("kvmweb.E1")]


def test_nothing_is_told_of_settings_that_are_well(settings: Any) -> None:
    assert _told(settings) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECOND_FACTOR", "on"),
        ("GROUPS", "vm-admins"),
        ("GROUPS", "vm-admins=root"),
        ("GROUPS", "web=project:web:admin"),
        ("GROUPS", "=admin"),
        ("OIDC_ISSUER", "http://id.example.org"),
        ("OIDC_CLIENT_ID", ""),
        ("LDAP_URL", "directory.example.org"),
        ("LDAP_URL", "ldap://directory:port"),
        ("LDAP_USER_BASE", ""),
        ("LDAP_USER_FILTER", "(uid=lena)"),
    ],
)
def test_one_that_cannot_be_meant_is_told(settings: Any, name: str, value: str) -> None:
    (said,) = _told(settings, **{name: value})
    assert "KVMWEB_" in said


def test_a_second_factor_misspelt_is_demanded_of_all(settings: Any) -> None:
    settings.SECOND_FACTOR = "admin"
    assert half.required(User(role="user"))
