"""Secrets that went in are found in no row, log, argument or answer."""

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.lab import Lab
from deploy.product import Product
from tests import scene
from tests.waiting import until

pytestmark = pytest.mark.lab

SASL_PASSWORD = "planted-sasl-5f2d9c71"


@pytest.fixture
def running(product: Product, lab: Lab) -> Iterator[UUID]:
    """A guest with a screen."""
    host = lab.hosts[0]
    uuid = host.define_demo("has-screen", 32, network="")
    scene.seen(product, uuid, "running")
    yield uuid
    host.virsh("destroy", "has-screen")
    host.virsh("undefine", "has-screen")


def _private_key() -> str:
    return (
        Ed25519PrivateKey.generate()
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.OpenSSH,
            serialization.NoEncryption(),
        )
        .decode()
    )


def _add(product: Product, **said: object) -> int:
    reply = product.call("POST", "hosts/", said)
    assert reply.status == 201, reply.body
    return int(reply.body["id"])


def test_no_secret_is_found_anywhere(product: Product, lab: Lab, running: UUID) -> None:
    key = _private_key()
    by_ssh = _add(
        product,
        name="planted-ssh",
        transport="ssh",
        address=lab.hosts[0].address,
        username="root",
        ssh_private_key=key,
    )
    by_tls = _add(
        product,
        name="planted-tls",
        transport="tls",
        address=lab.hosts[0].address,
        username="somebody",
        password=SASL_PASSWORD,
    )
    token = product.call("POST", "tokens/", {"name": "planted", "scope": "read"}).body
    ticket = product.call("POST", f"guests/{running}/console/", {"kind": "vnc"}).body
    until(lambda: product.call("GET", f"hosts/{by_ssh}/").body["checked_at"], 60)
    until(lambda: product.call("GET", f"hosts/{by_tls}/").body["checked_at"], 60)
    secrets = {
        "ssh key": key.splitlines()[2],
        "SASL password": SASL_PASSWORD,
        "API token": token["token"],
        "console ticket": ticket["websocket_url"].rsplit("=", 1)[1],
    }
    answers = "".join(
        json.dumps(product.call("GET", path).body)
        for path in (
            "hosts/",
            f"hosts/{by_ssh}/",
            f"hosts/{by_tls}/",
            "operations/?limit=100",
            "audit/?limit=100",
            "tokens/",
        )
    )
    for name, secret in secrets.items():
        assert secret not in answers, f"The {name} is in an answer."
        assert not _found_in_files(product.directory, secret), f"The {name} is kept."
        assert not _found_in_arguments(product, secret), f"The {name} is an argument."
    for host in (by_ssh, by_tls):
        assert product.call("DELETE", f"hosts/{host}/").status in {200, 202, 204}


def _found_in_files(directory: Path, secret: str) -> list[Path]:
    return [
        path
        for path in directory.rglob("*")
        if path.is_file() and secret.encode() in path.read_bytes()
    ]


def _found_in_arguments(product: Product, secret: str) -> list[int]:
    found = []
    for pid in product.pids():
        try:
            said = Path(f"/proc/{pid}/cmdline").read_bytes()
            said += Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            continue  # ended while we looked
        if secret.encode() in said:
            found.append(pid)
    return found
