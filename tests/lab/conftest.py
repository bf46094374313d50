"""The lab: two real QEMU hosts, started once for all tests that ask for them."""

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from deploy import debian
from deploy import lab as labs
from deploy.lab import Lab
from deploy.lab_host import LabHost
from hosts.models import Host
from kvmweb.virt import connection
from tests.lab import seeing
from tests.lab.mock_agent import MockAgent, define
from tests.waiting import until


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


@pytest.fixture
def kvm(lab: Lab) -> LabHost:
    """The first host of the lab."""
    return lab.hosts[0]


@pytest.fixture
def home(kvm: LabHost, db: None) -> Host:
    """The row of the first host, where no product runs."""
    return seeing.home_of(kvm)


@pytest.fixture
def no_warm_children(redis_server: str) -> Iterator[None]:
    """No connection is left to the next test."""
    yield
    connection.close_all()


@pytest.fixture(scope="session")
def debian_image() -> Path:
    """A small real Debian as qcow2; made once for a machine, which takes two minutes."""
    return debian.build()


@pytest.fixture(scope="module")
def mock(lab: Lab) -> Iterator[MockAgent]:
    """The words of a guest's agent on the first host."""
    played = MockAgent(lab.hosts[0].root / "agent.sock")
    yield played
    played.close()


@pytest.fixture(scope="module")
def mocked(lab: Lab, mock: MockAgent) -> Iterator[UUID]:
    """A guest with that agent, once libvirt listens to it."""
    kvm = lab.hosts[0]
    uuid = UUID(define(kvm, "mocked", mock))
    until(lambda: "state='connected'" in kvm.virsh("dumpxml", str(uuid)), 30)
    yield uuid
    kvm.virsh("destroy", str(uuid))
    kvm.virsh("undefine", str(uuid))
