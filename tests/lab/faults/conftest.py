"""A running product that watches the two lab hosts, and what must hold after each test."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.lab import Lab
from deploy.product import Product
from tests import ending
from tests.invariants import Invariants
from tests.scene import states_of_hosts
from tests.waiting import until


@pytest.fixture(scope="session")
def product(lab: Lab) -> Iterator[Product]:
    """The whole product, both lab hosts added and up."""
    with Product(Path("/tmp", f"kvmweb-faults-{os.getpid()}")) as started:
        ending.with_the_group(started.stop)
        for host in lab.hosts:
            said = started.call(
                "POST",
                "hosts/",
                {
                    "name": host.name,
                    "transport": "tcp",
                    "address": host.address,
                    "virt_type": "qemu",
                },
            )
            assert said.status == 201, said.body
        until(lambda: set(states_of_hosts(started).values()) == {"up"})
        yield started


@pytest.fixture
def invariants(product: Product, lab: Lab) -> Iterator[Invariants]:
    """Checked when the test has ended, whatever it did."""
    watched = Invariants(product, lab)
    yield watched
    watched.check()
