"""The ground the measurements stand on: a lab and a product that knows its hosts."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.lab import Lab
from deploy.product import Product


@contextmanager
def lab_and_product(place: Path, hosts: int = 1) -> Iterator[tuple[Lab, Product]]:
    """Real hosts, and the product that watches them; all up when this yields."""
    with (
        Lab(place / "lab", f"kn{os.getpid() % 10**7}", hosts=hosts) as lab,
        Product(place / "var") as product,
    ):
        for host in lab.hosts:
            add_host(product, host.name, host.address)
        yield lab, product


def add_host(product: Product, name: str, address: str) -> int:
    """Add a lab host over TCP and wait until it is up; its id."""
    said = product.call(
        "POST",
        "hosts/",
        {"name": name, "transport": "tcp", "address": address, "virt_type": "qemu"},
    )
    if said.status != 201:
        raise RuntimeError(f"{name} was not added: {said.body}")
    host_id = int(said.body["id"])
    until(lambda: product.call("GET", f"hosts/{host_id}/").body["state"] == "up")
    return host_id


def until(true: Callable[[], bool], seconds: float = 30, pause: float = 0.05) -> None:
    """Return once it is true. Raises TimeoutError after so many seconds."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError("What was waited for did not come true.")
        time.sleep(pause)
