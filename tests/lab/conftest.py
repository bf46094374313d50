"""The lab: two real QEMU hosts, started once for all tests that ask for them."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy import debian
from deploy import lab as labs
from deploy.lab import Lab


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """Two hosts that speak tcp, tls and ssh; guests are made by the tests."""
    if os.geteuid() != 0:
        pytest.fail("The lab makes network namespaces: run 'make test' as root.")
    labs.remove_left_behind("kt")
    # Short: a Unix socket's path has 107 bytes.
    folder = Path("/tmp", f"kvmweb-lab-{os.getpid()}")
    with Lab(folder, f"kt{os.getpid()}", tls=True, ssh=True) as started:
        yield started


@pytest.fixture(scope="session")
def debian_image() -> Path:
    """A small real Debian as qcow2; made once for a machine, which takes two minutes."""
    return debian.build()
