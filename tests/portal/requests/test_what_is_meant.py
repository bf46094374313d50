"""What a number and a word mean, and that a request stays as large as it was asked for."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from guests.models import Guest
from hosts.models import Host
from kvmweb.accounts.models import Project, User
from kvmweb.accounts.services import Asker
from kvmweb.operations.ending import End, end
from kvmweb.operations.models import Operation
from portal.flavors.models import Flavor
from portal.leases import services as leases
from portal.ledger.models import Charge, Quota
from portal.machines import services as machines
from portal.requests import services
from portal.requests.models import Request
from portal.requests.resizing import Size
from tests.portal.requests.conftest import GIB, Api

pytestmark = pytest.mark.usefixtures("redis_server")
Apis = Callable[[User], Api]


@pytest.fixture
def trap(small: Flavor) -> Flavor:
    """A larger flavor whose name is the id of the small one."""
    about = {"vcpus": 4, "memory_bytes": 4 * GIB, "disk_bytes": 40 * GIB}
    return Flavor.objects.create(name=str(small.pk), **about)


@pytest.fixture
def gone(web: Project, mia: User) -> Guest:
    """A machine that no host knows any more."""
    return Guest.objects.create(
        uuid=uuid4(), name="gone", state="gone", project=web, owner=mia, vcpus=1
    )


def test_a_number_is_an_id_and_a_word_a_name(
    api: Apis, kvm1: Host, mia: User, otto: User, small: Flavor, trap: Flavor
) -> None:
    by_id = api(mia).ask(name="a", flavor=small.pk).json()
    by_name = api(mia).ask(name="b", flavor=str(small.pk)).json()
    assert (by_id["flavor"], by_name["flavor"]) == (small.pk, trap.pk)
    said = api(mia).patch(f"{by_id['id']}/", reason="Another reason.").json()
    assert (said["flavor"], said["vcpus"]) == (small.pk, small.vcpus)
    answer = api(otto).post(f"{by_name['id']}/approve/", flavor=small.pk)
    told = answer.json()
    assert answer["Location"] == f"/api/v1/operations/{told['operation']}/"
    assert (told["flavor"], told["vcpus"]) == (small.pk, small.vcpus)


def test_another_reason_is_no_other_size(
    api: Apis, kvm1: Host, mia: User, small: Flavor
) -> None:
    row = api(mia).ask().json()
    Flavor.objects.filter(pk=small.pk).update(memory_bytes=2 * GIB, active=False)
    said = api(mia).patch(f"{row['id']}/", reason="Another reason.")
    assert said.status_code == 200, said.content
    assert said.json()["memory_bytes"] == GIB
    assert api(mia).patch(f"{row['id']}/", flavor=small.pk).status_code == 422


def test_the_page_that_changes_a_request_keeps_its_size(
    api: Apis, kvm1: Host, mia: User, small: Flavor
) -> None:
    row = api(mia).ask().json()
    Flavor.objects.filter(pk=small.pk).update(memory_bytes=2 * GIB)
    typed = {
        "name": "app",
        "flavor": str(small.pk),
        "reason": "Why.",
        "lease_days": "9",
    }
    gone = api(mia).client.post(f"/requests/{row['id']}/edit/", typed)
    assert gone.status_code == 302, gone.content
    changed = Request.objects.get()
    assert (changed.memory_bytes, changed.lease_days) == (GIB, 9)


def test_what_is_charged_is_what_there_will_be(
    api: Apis, kvm1: Host, mia: User, otto: User, web: Project
) -> None:
    about: dict[str, Any] = {"vcpus": 1, "memory_bytes": GIB + 1}
    Flavor.objects.create(name="odd", disk_bytes=10 * GIB + 1, **about)
    Quota.objects.filter(project=web).update(memory_bytes=GIB + 1)
    assert api(mia).ask(flavor="odd").status_code == 409
    Quota.objects.filter(project=web).update(memory_bytes=2 * GIB)
    row = api(mia).ask(flavor="odd").json()
    charge = Charge.objects.get()
    assert charge.memory_bytes == row["memory_bytes"] == GIB + 1024**2
    assert charge.disk_bytes == 10 * GIB + 512
    operation = api(otto).post(f"{row['id']}/approve/").json()["operation"]
    plan = Operation.objects.get(pk=operation).params["plan"]
    assert plan["blueprint"]["memory_bytes"] == charge.memory_bytes


@pytest.mark.parametrize(
    "ask",
    [
        lambda it, mia, _otto: services.ask_resize(it, Size(2, GIB), "", by=Asker(mia)),
        lambda it, mia, _otto: services.ask_extension(it, 5, "", by=Asker(mia)),
        lambda it, _mia, otto: leases.lend(it, 5, by=otto),
        lambda it, _mia, otto: machines.hand_over(it, "otto", by=otto),
    ],
    ids=["another size", "more time", "an end", "another owner"],
)
def test_nothing_is_asked_of_one_that_is_gone(
    gone: Guest, mia: User, otto: User, ask: Callable[..., Any]
) -> None:
    with pytest.raises(Exception, match="gone is gone"):
        ask(gone, mia, otto)
    assert not Charge.objects.exists()


def test_what_was_asked_about_a_machine_goes_with_it(
    web: Project, kvm1: Host, mia: User
) -> None:
    guest = Guest.objects.create(
        uuid=uuid4(),
        name="app",
        state="shutoff",
        host=kvm1,
        project=web,
        owner=mia,
        vcpus=1,
        memory_bytes=GIB,
    )
    row = services.ask_resize(guest, Size(2, GIB), "", by=Asker(mia))
    assert Charge.objects.filter(subject=row.topic).exists()
    deleting = Operation.objects.create(kind="guest.delete", guest=guest.pk)
    done = Operation.objects.filter(pk=deleting.pk)
    assert end(done, End(Operation.State.SUCCEEDED, "Deleted."))
    row.refresh_from_db()
    assert row.state == "cancelled"
    assert not Charge.objects.filter(subject=row.topic).exists()
