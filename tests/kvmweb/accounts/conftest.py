"""An OpenID provider beside us, and who comes from there."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from tests.outside import openid
from tests.outside.openid import Provider


@pytest.fixture
def no_time_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who must wait a second still must, however long the test takes."""
    now = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: now)


@pytest.fixture(scope="module")
def started() -> Iterator[Provider]:
    """One provider for all tests of a file."""
    with openid.provider("http://testserver") as provider:
        yield provider


@pytest.fixture
def provider(started: Provider, settings: Any, db: None) -> Provider:
    """The product set up to use it; Nina is known there."""
    settings.OIDC_ISSUER = started.issuer
    settings.OIDC_CLIENT_ID = started.client["client_id"]
    settings.OIDC_CLIENT_SECRET = started.client["client_secret"]
    settings.GROUPS = "vm-admins=admin, web-team=project:web:operator"
    started.know("s-1", preferred_username="Nina", email="nina@example.org")
    return started


def arrive(provider: Provider, subject: str = "s-1", **more: Any) -> tuple[Client, Any]:
    """Somebody's browser after the way there and back, and what it was answered."""
    client = more.pop("client", None) or Client()
    gone = client.get("/login/oidc/", more)
    assert gone.status_code == 302, gone.content
    return client, client.get(provider.sign_in(gone["Location"], subject))


def name_of(client: Client) -> str:
    """Who is signed in there; "" for nobody."""
    me = client.get("/api/v1/me/")
    return str(me.json()["username"]) if me.status_code == 200 else ""
