"""A guest's agent holds its file systems still for a snapshot, and never for longer."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from django.utils import timezone

from deploy.lab import Lab
from deploy.lab_host import LabHost
from guests.models import Guest
from guests.snapshots import services
from guests.snapshots.services import Wish
from hosts.models import Host
from kvmweb.accounts.models import User
from kvmweb.operations.models import LogLine, Operation
from kvmweb.virt import connection as virt
from kvmweb.virt.snapshot_types import Wanted
from tests.lab import seeing
from tests.lab.mock_agent import MockAgent, define
from tests.waiting import until

pytestmark = [pytest.mark.lab, pytest.mark.django_db(transaction=True)]
FREEZE, THAW = "guest-fsfreeze-freeze", "guest-fsfreeze-thaw"
IMAGES = "/var/lib/libvirt/images"


@pytest.fixture(scope="module")
def kvm(lab: Lab) -> LabHost:
    """The first host of the lab."""
    return lab.hosts[0]


@pytest.fixture(scope="module")
def mock(kvm: LabHost) -> Iterator[MockAgent]:
    """The words of the guest's agent."""
    played = MockAgent(kvm.root / "still.sock")
    yield played
    played.close()


@pytest.fixture(scope="module")
def uuid(kvm: LabHost, mock: MockAgent) -> Iterator[UUID]:
    """A guest with that agent and a disk, once libvirt listens to it."""
    uuid = UUID(define(kvm, "still", mock))
    kvm.virsh("vol-create-as", "default", "still.qcow2", "16M", "--format", "qcow2")
    how = ("--subdriver", "qcow2", "--live", "--config")
    kvm.virsh("attach-disk", "still", f"{IMAGES}/still.qcow2", "vdb", *how)
    until(lambda: "state='connected'" in kvm.virsh("dumpxml", str(uuid)), 30)
    yield uuid
    kvm.virsh("destroy", str(uuid))
    kvm.virsh("undefine", str(uuid), "--snapshots-metadata")
    for path in Path(kvm.root, IMAGES[1:]).glob("still.*"):
        path.unlink()


@pytest.fixture
def guest(kvm: LabHost, uuid: UUID, mock: MockAgent, db: None) -> Iterator[Guest]:
    """The guest, with an agent that does what it is asked."""
    mock.answers |= {FREEZE: 1, THAW: 1}
    mock.faults = {}
    mock.asked.clear()
    home = seeing.home_of(kvm)
    seeing.look(home)
    yield Guest.objects.select_related("host").get(pk=uuid)
    virt.close_all()


def kept(guest: Guest, name: str, by: User) -> Operation:
    """The snapshot, made of the disks alone."""
    home = Host.objects.get(pk=guest.host_id)
    operation = seeing.done(
        lambda: services.create(seeing.fresh(guest), Wish(name), by=by), home
    )
    assert operation.state == "succeeded", operation.error_message
    return operation


def said(operation: Operation) -> str:
    """What it did, step by step."""
    return " ".join(
        LogLine.objects.filter(operation=operation).values_list("message", flat=True)
    )


def test_file_systems_are_held_still(
    redis_server: str, guest: Guest, mock: MockAgent, admin: User
) -> None:
    operation = kept(guest, "still", admin)
    assert operation.result["frozen"]
    assert len(mock.commands(FREEZE)) == 1
    assert mock.commands(THAW)
    assert [each["execute"] for each in mock.asked][-1] == THAW


def test_an_agent_that_cannot_is_done_without_and_thawed(
    redis_server: str, guest: Guest, mock: MockAgent, admin: User
) -> None:
    mock.faults = {FREEZE: "the disk is on fire"}
    operation = kept(guest, "crashed", admin)
    assert not operation.result["frozen"]
    assert "could not freeze it" in said(operation)
    assert [each["execute"] for each in mock.asked][-1] == THAW
    assert seeing.fresh(guest).state == "running"


def test_an_interrupted_one_is_thawed(
    redis_server: str, guest: Guest, mock: MockAgent, admin: User
) -> None:
    operation = services.create(guest, Wish("cut"), by=admin)
    path = f"{IMAGES}/still.cut.{operation.pk.hex[:8]}.vdb.qcow2"
    wanted = Wanted(
        "cut", "", external=True, memory=False, overlays=(("vdb", path),), quiesce=True
    )
    Operation.objects.filter(pk=operation.pk).update(
        state=Operation.State.RUNNING,
        worker="gone:1:dead",
        attempts=1,
        lease_until=timezone.now() - timedelta(minutes=1),
        result={"wanted": asdict(wanted), "begun": True, "state": "running"},
    )
    done = seeing.performed(operation)
    assert (done.state, "does not exist" in done.error_message) == ("failed", True)
    assert mock.commands(THAW)
