"""What was asked for and approved runs on a real host; what fails leaves nothing there."""

from collections.abc import Callable
from typing import Any

import pytest

from deploy.lab_host import LabHost
from guests.models import Guest
from hosts.models import Host
from kvmweb.accounts.models import Member, Project, User
from kvmweb.accounts.services import Asker
from kvmweb.operations.models import Operation
from portal.flavors.models import Flavor
from portal.leases.models import Lease
from portal.ledger.models import Charge
from portal.requests import deciding, services
from portal.requests.asking import Wish
from portal.requests.models import Request
from portal.requests.resizing import Size
from tests.lab.creation.conftest import look, performed, told

pytestmark = [
    pytest.mark.lab,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("clean"),
]
MIB = 1024**2


@pytest.fixture
def asked(home: Host, user: User, admin: User) -> Callable[..., Request]:
    """Asks for a tiny machine as a plain user, and has the admin approve it."""
    project = Project.objects.create(name="web")
    Member.objects.create(project=project, user=user, role="operator")
    Flavor.objects.create(
        name="tiny", vcpus=1, memory_bytes=32 * MIB, disk_bytes=64 * MIB
    )

    def ask(name: str, **about: Any) -> Request:
        wish = Wish(name=name, flavor="tiny", lease_days=5, network="default", **about)
        row = services.ask(wish, project, by=Asker(user))
        return deciding.approve(row, by=Asker(admin))

    return ask


def test_it_runs_and_is_theirs(
    kvm: LabHost, asked: Callable[..., Request], user: User
) -> None:
    row = asked("asked-for")
    operation = performed(Operation.objects.get(pk=row.operation))
    assert operation.state == "succeeded", operation.error_message
    row.refresh_from_db()
    assert row.state == "ready"
    assert kvm.virsh("domstate", str(row.guest)) == "running"
    guest = Guest.objects.get(pk=row.guest)
    assert (guest.name, guest.owner, guest.project) == ("asked-for", user, row.project)
    charge = Charge.objects.get()
    assert (charge.subject, charge.state) == (f"guest:{row.guest}", "used")
    assert Lease.objects.get().guest == row.guest


def test_what_fails_leaves_nothing_and_is_tried_again(
    kvm: LabHost, asked: Callable[..., Request], user: User
) -> None:
    before = told(kvm)
    row = asked("unlucky")
    kvm.virsh("net-destroy", "default")
    try:
        operation = performed(Operation.objects.get(pk=row.operation))
    finally:
        kvm.virsh("net-start", "default")
    assert operation.state == "failed"
    row.refresh_from_db()
    assert (row.state, row.failure[:10]) == ("failed", "Something ")
    assert told(kvm) == before
    assert not Charge.objects.exists()
    row = deciding.retry(row, by=Asker(user))
    operation = performed(Operation.objects.get(pk=row.operation))
    assert operation.state == "succeeded", operation.error_message
    row.refresh_from_db()
    assert row.state == "ready"
    assert kvm.virsh("domstate", str(row.guest)) == "running"


def test_it_gets_another_size_while_it_runs(
    kvm: LabHost, home: Host, asked: Callable[..., Request], user: User, admin: User
) -> None:
    made = performed(Operation.objects.get(pk=asked("larger").operation))
    assert made.state == "succeeded", made.error_message
    look(home)
    guest = Guest.objects.select_related("host", "project").get(pk=made.guest)
    size = Size(2, 32 * MIB, 96 * MIB)
    row = services.ask_resize(guest, size, "More to store.", by=Asker(user))
    row = deciding.approve(row, by=Asker(admin))
    while row.state == "provisioning":
        operation = performed(Operation.objects.get(pk=row.operation))
        assert operation.state == "succeeded", operation.error_message
        look(home)
        row.refresh_from_db()
    assert row.state == "ready", row.failure
    done = Operation.objects.filter(guest=guest.pk).order_by("created_at")
    kinds = list(done.values_list("kind", flat=True))
    assert kinds[1:] == ["guest.change", "guest.disk-grow"]
    assert f"Capacity:       {96 * MIB}" in kvm.virsh("domblkinfo", "larger", "vda")
    assert "2" in kvm.virsh("vcpucount", "larger", "--maximum", "--config")
    charge = Charge.objects.get()
    assert (charge.vcpus, charge.disk_bytes) == (2, 96 * MIB)
