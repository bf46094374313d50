"""An OpenID provider beside us, and who comes from there."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from django.test import Client

from deploy.product import free_port
from tests.waiting import until

BACK = "/login/oidc/back/"
OURS = f"http://testserver{BACK}"
PROVIDER = Path(__file__).parent / "provider.py"


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


class Provider:
    """The provider, as people and administrators use it."""

    def __init__(self, port: int) -> None:
        self.issuer = f"http://127.0.0.1:{port}"
        asked = {"redirect_uris": [OURS]}
        told = requests.post(f"{self.issuer}/oauth2/clients", json=asked, timeout=5)
        self.client = told.json()

    def know(self, subject: str, **claims: Any) -> None:
        """Somebody the provider knows."""
        address = f"{self.issuer}/users/{subject}"
        requests.put(address, json=claims, timeout=5).raise_for_status()

    def sign_in(self, address: str, subject: str) -> str:
        """Back with the answer: the path and query at our own site."""
        answer = requests.post(
            address, data={"sub": subject}, allow_redirects=False, timeout=5
        )
        location = answer.headers["Location"]
        assert location.startswith(OURS), location
        return location.removeprefix("http://testserver")


@pytest.fixture(scope="module")
def started() -> Iterator[Provider]:
    """One provider for all tests of a file."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, str(PROVIDER), str(port)],
        env={**os.environ, "AUTHLIB_INSECURE_TRANSPORT": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until(lambda: _answers(port), 20, why="The provider does not answer.")
    yield Provider(port)
    process.terminate()
    process.wait(10)


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
