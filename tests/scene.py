"""What tests of the whole product ask it, in the words of its API."""

import time
import urllib.request
from typing import Any
from uuid import UUID

from deploy.product import Product, Reply
from tests.waiting import until

PAGE_LIMIT_S = 5.0  # no page takes longer, whatever hangs


def states_of_hosts(product: Product) -> dict[str, str]:
    """The state of each host, by name."""
    hosts = product.call("GET", "hosts/").body["items"]
    return {host["name"]: host["state"] for host in hosts}


def guest(product: Product, uuid: UUID | str) -> dict[str, Any]:
    """The guest; empty while nobody has seen it."""
    said = product.call("GET", f"guests/{uuid}/")
    return said.body if said.status == 200 else {}


def state(product: Product, uuid: UUID | str) -> str:
    """Its state; "" while nobody has seen it."""
    return str(guest(product, uuid).get("state", ""))


def seen(product: Product, uuid: UUID | str, wanted: str, seconds: float = 60) -> None:
    """Wait until the guest is shown in this state."""
    until(
        lambda: state(product, uuid) == wanted,
        seconds,
        why=f"{uuid} is not shown as {wanted} within {seconds:g} s.",
    )


def ask(product: Product, uuid: UUID | str, action: str, **headers: str) -> Reply:
    """POST an action on a guest."""
    return product.call("POST", f"guests/{uuid}/{action}/", headers=headers)


def ended(product: Product, operation: str, seconds: float = 120) -> dict[str, Any]:
    """The operation, once it has ended."""
    until(
        lambda: (
            product.call("GET", f"operations/{operation}/").body["state"]
            not in {"queued", "running"}
        ),
        seconds,
    )
    return dict(product.call("GET", f"operations/{operation}/").body)


def reconnected(product: Product, host: int, way: dict[str, str]) -> None:
    """Have a host reached in this way, and wait until it is."""
    path = f"hosts/{host}/"
    before = product.call("GET", path).body["state_since"]
    said = product.call("PATCH", path, way)
    assert said.status == 200, said.body

    def is_up_anew() -> bool:
        told = product.call("GET", path).body
        return told["state"] == "up" and told["state_since"] != before

    until(is_up_anew)


def active(product: Product) -> list[dict[str, Any]]:
    """Operations that have not ended."""
    said = product.call("GET", "operations/?limit=500").body["items"]
    return [each for each in said if each["state"] in {"queued", "running"}]


def slowest_answer(product: Product, path: str, seconds: float) -> float:
    """Ask a path of the API again and again for so long; the slowest answer, in seconds."""
    slowest, until_then = 0.0, time.monotonic() + seconds
    while time.monotonic() < until_then:
        request = urllib.request.Request(
            f"{product.url}/api/v1/{path}",
            headers={"Authorization": f"Bearer {product.token}"},
        )
        begun = time.monotonic()
        with urllib.request.urlopen(request, timeout=30) as answer:
            answer.read()
        slowest = max(slowest, time.monotonic() - begun)
        time.sleep(0.1)
    return slowest
