"""An OpenID provider beside us, as people and administrators use it."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from deploy.product import free_port
from tests.outside.answering import answering

BACK = "/login/oidc/back/"
_PROGRAM = Path(__file__).parent / "provider.py"
_INSECURE = {"AUTHLIB_INSECURE_TRANSPORT": "1"}


class Provider:
    """One provider, at which one site of ours is registered."""

    def __init__(self, port: int, site: str) -> None:
        """`site` is where our people are led back to: "http://testserver"."""
        self.issuer = (
            f"http://localhost:{port}"  # to browsers not the site of 127.0.0.1
        )
        self.site = site
        asked = {"redirect_uris": [f"{site}{BACK}"]}
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
        assert location.startswith(f"{self.site}{BACK}"), location
        return location.removeprefix(self.site)


@contextmanager
def provider(site: str) -> Iterator[Provider]:
    """A provider as long as it is needed."""
    port = free_port()
    command = [sys.executable, str(_PROGRAM), str(port)]
    with answering(command, port, {**os.environ, **_INSECURE}):
        yield Provider(port, site)
