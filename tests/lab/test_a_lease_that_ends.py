"""The end of a lease on a real host: shut down, kept, brought back, deleted; time is moved."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest

from deploy.lab_host import LabHost
from guests.models import Guest
from hosts.models import Host
from kvmweb.accounts.models import Member, Project, User
from kvmweb.operations.models import Operation
from portal.leases import services
from portal.leases.models import Lease
from portal.ledger import charging
from portal.ledger import services as ledger
from portal.ledger.models import Charge
from tests.lab import seeing
from tests.portal.leases.conftest import DAY, MINUTE, Clock

pytestmark = [
    pytest.mark.lab,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("no_warm_children"),
]
HOUR = timedelta(hours=1)
PATH = "/var/lib/libvirt/images/lent.qcow2"
Passing = Callable[[datetime], list[str]]


@pytest.fixture
def lent(kvm: LabHost, home: Host, user: User) -> Iterator[Guest]:
    """A machine of a project that runs, with a disk of 8 MiB; it goes with the test."""
    project = Project.objects.create(name="shop")
    Member.objects.create(project=project, user=user, role=Member.Role.OPERATOR)
    uuid = kvm.define_demo("lent", network="", disk_mib=8)
    kvm.virsh("pool-refresh", "default")
    seeing.look(home)
    Guest.objects.filter(pk=uuid).update(project=project, owner=user)
    guest = Guest.objects.select_related("host", "owner", "project").get(pk=uuid)
    charging.ProjectLedger().given(guest, project)
    services.begin(uuid, project, 30)
    yield guest
    if str(uuid) in kvm.virsh("list", "--all", "--uuid").split():
        if kvm.virsh("domstate", str(uuid)) != "shut off":
            kvm.virsh("destroy", str(uuid))
        kvm.virsh("undefine", str(uuid))
        kvm.virsh("vol-delete", PATH)


@pytest.fixture
def passing(home: Host) -> Passing:
    """It is so late now, and somebody looked all the while.

    What is due is done as a worker would, by what the host says; the kinds of it.
    """
    clock = Clock()

    def pass_until(at: datetime) -> list[str]:
        seeing.look(home)
        clock.look(at)
        waiting = list(Operation.objects.filter(state="queued").order_by("created_at"))
        for operation in waiting:
            done = seeing.performed(operation)
            assert done.state == "succeeded", done.error_message
        seeing.look(home)
        return [operation.kind for operation in waiting]

    return pass_until


def stands(lent: Guest) -> str:
    """How far its lease is."""
    return str(Lease.objects.get(guest=lent.pk).state)


def test_it_is_shut_down_kept_and_at_last_deleted_with_its_disk(
    kvm: LabHost, lent: Guest, passing: Passing
) -> None:
    end = Lease.objects.get().ends_at
    assert passing(end - DAY) == []
    assert passing(end) == ["guest.shutdown"]
    assert kvm.virsh("domstate", "lent") == "shut off"
    assert passing(end + MINUTE) == []
    until = Lease.objects.get().keeps_until
    assert until == end + MINUTE + 14 * DAY
    assert passing(until - DAY) == []
    assert passing(until - MINUTE) == []
    assert "lent" in kvm.virsh("list", "--all", "--name").split()
    assert passing(until) == ["guest.delete"]
    assert "lent" not in kvm.virsh("list", "--all", "--name").split()
    assert "lent.qcow2" not in kvm.virsh("vol-list", "default")
    assert stands(lent) == "ended"
    assert not Charge.objects.filter(subject=ledger.of_guest(lent.pk)).exists()


def test_each_step_can_be_taken_back(
    kvm: LabHost, lent: Guest, passing: Passing
) -> None:
    end = Lease.objects.get().ends_at
    passing(end - DAY)
    passing(end)
    passing(end + MINUTE)
    assert stands(lent) == "kept"
    kvm.virsh("start", "lent")  # by whatever way
    passing(end + 2 * MINUTE)
    assert stands(lent) == "running"
    passing(end + 3 * MINUTE)  # said once more
    assert passing(end + HOUR) == []
    assert passing(end + 2 * HOUR) == ["guest.shutdown"]
    passing(end + 3 * HOUR)
    assert stands(lent) == "kept"
    services.extend(lent.pk, 5, by=None, asked=True)
    assert stands(lent) == "running"
    assert passing(end + 20 * DAY) == []
    assert kvm.virsh("domstate", "lent") == "shut off"


def test_one_that_does_not_listen_is_switched_off_and_a_protected_one_stays(
    kvm: LabHost, lent: Guest, passing: Passing
) -> None:
    end = Lease.objects.get().ends_at
    passing(end - DAY)
    kvm.virsh("suspend", "lent")
    assert passing(end) == []  # nobody in there would hear it
    assert passing(end + 9 * MINUTE) == []
    assert passing(end + 10 * MINUTE) == ["guest.force-off"]
    assert kvm.virsh("domstate", "lent") == "shut off"
    passing(end + 11 * MINUTE)
    until = Lease.objects.get().keeps_until
    assert until is not None
    Guest.objects.update(protected=True)
    for days in (-1, 0, 1, 30):
        assert "guest.delete" not in passing(until + days * DAY)
    assert kvm.virsh("domstate", "lent") == "shut off"
    assert stands(lent) == "kept"
    Guest.objects.update(protected=False)
    assert passing(until + 31 * DAY) == []  # warned
    assert passing(until + 32 * DAY) == ["guest.delete"]
    assert "lent" not in kvm.virsh("list", "--all", "--name").split()


def test_nothing_is_done_to_one_whose_host_is_silent(
    kvm: LabHost, lent: Guest, passing: Passing
) -> None:
    end = Lease.objects.get().ends_at
    passing(end - DAY)
    Host.objects.update(state=Host.State.DOWN)
    assert passing(end + DAY) == []
    assert kvm.virsh("domstate", "lent") == "running"
    assert Lease.objects.get().said == "Nobody knows what it does now."
    Host.objects.update(state=Host.State.UP)
    assert passing(end + 2 * DAY) == ["guest.shutdown"]
    assert kvm.virsh("domstate", "lent") == "shut off"
