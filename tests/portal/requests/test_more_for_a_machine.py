"""Another size, and more time: asked for a machine that is there."""

from collections.abc import Callable
from uuid import UUID

import pytest

from guests.models import Document, Guest
from hosts import columns
from hosts.models import Host
from kvmweb.accounts.models import Project, User
from kvmweb.accounts.services import Asker
from kvmweb.errors import Conflict, Invalid
from kvmweb.operations.ending import End, end
from kvmweb.operations.models import Operation
from kvmweb.operations.performing import perform
from kvmweb.operations.queue import Claim
from kvmweb.operations.run import Run
from portal.ledger import services as ledger
from portal.ledger.amounts import Amounts
from portal.ledger.models import Charge
from portal.requests import plugs, services
from portal.requests.models import Request
from portal.requests.resizing import Size
from tests.guests.conftest import disk
from tests.guests.creation.conftest import volume_of
from tests.portal.requests.conftest import GIB, Api, paper

pytestmark = pytest.mark.usefixtures("redis_server")
Apis = Callable[[User], Api]
UUID_OF_APP = UUID("0b5a7c7e-4b6c-4c8e-9a53-0c6d6f1d2a11")


class Keeper:
    """Keeps leases, for a test; refuses when it is told to."""

    def __init__(self) -> None:
        self.moved: list[tuple[UUID, int]] = []
        self.refuses = False

    def begin(self, guest: UUID, project: Project, days: int) -> None:
        raise AssertionError

    def extend(self, guest: UUID, days: int, by: User | None) -> None:
        if self.refuses:
            raise Conflict("It has no lease.")
        self.moved.append((guest, days))


@pytest.fixture
def keeper(monkeypatch: pytest.MonkeyPatch) -> Keeper:
    """Who keeps leases."""
    found = Keeper()
    monkeypatch.setattr(plugs, "_keepers", [found])
    return found


@pytest.fixture
def app(kvm1: Host, web: Project, mia: User) -> Guest:
    """A machine of the project that is off: 2 vCPUs, 2 GiB, charged."""
    guest = Guest.objects.create(
        uuid=UUID_OF_APP,
        name="app",
        host=kvm1,
        project=web,
        owner=mia,
        state="shutoff",
        vcpus=2,
        memory_bytes=2 * GIB,
    )
    subject = ledger.of_guest(guest.pk)
    ledger.reserve(web, subject, Amounts(1, 2, 2 * GIB, 0), "app")
    ledger.settle(subject, subject)
    return guest


@pytest.fixture
def disked(app: Guest, kvm1: Host) -> Guest:
    """The same machine with a disk of 10 GiB."""
    volume = volume_of(kvm1.pools.get(), "app.qcow2", capacity_bytes=10 * GIB)
    app.disks = columns.as_json([disk(volume.path, capacity_bytes=10 * GIB)])
    app.save()
    Document.objects.create(guest=app, xml=paper("app", volume.path))
    amounts = Amounts(1, 2, 2 * GIB, 10 * GIB)
    ledger.change(ledger.of_guest(app.pk), amounts)
    return app


def _disks() -> dict[str, int]:
    """The charges, in GiB of disk."""
    rows = Charge.objects.values_list("subject", "disk_bytes")
    return {subject: size // GIB for subject, size in rows}


def _sizes() -> dict[str, tuple[int, int]]:
    rows = Charge.objects.values_list("subject", "vcpus", "memory_bytes")
    return {subject: (vcpus, memory) for subject, vcpus, memory in rows}


def _of_app() -> str:
    return f"guest:{UUID_OF_APP}"


def test_what_it_would_grow_by_is_promised_and_then_charged(
    api: Apis, mia: User, otto: User, app: Guest
) -> None:
    row = services.ask_resize(app, Size(4, 3 * GIB), "Busy.", by=Asker(mia))
    assert _sizes() == {_of_app(): (2, 2 * GIB), row.topic: (2, GIB)}
    told = api(otto).post(f"{row.pk}/approve/").json()
    assert told["state"] == "provisioning", told
    assert _sizes() == {_of_app(): (4, 3 * GIB)}
    operation = Operation.objects.get(pk=told["operation"])
    assert (operation.kind, operation.requested_by) == ("guest.change", mia)
    assert operation.params["hardware"] == {"vcpus": 4, "memory_bytes": 3 * GIB}
    done = Operation.objects.filter(pk=operation.pk)
    assert end(done, End(Operation.State.SUCCEEDED, "Done."))
    assert Request.objects.get().state == "ready"
    assert _sizes() == {_of_app(): (4, 3 * GIB)}


def test_one_that_fails_is_charged_as_it_was(
    api: Apis, mia: User, otto: User, app: Guest
) -> None:
    row = services.ask_resize(app, Size(4, 3 * GIB), "", by=Asker(mia))
    pk = api(otto).post(f"{row.pk}/approve/").json()["operation"]
    assert end(Operation.objects.filter(pk=pk), End(Operation.State.FAILED, "No."))
    assert Request.objects.get().state == "failed"
    assert _sizes() == {_of_app(): (2, 2 * GIB)}
    assert api(mia).post(f"{row.pk}/retry/").json()["state"] == "provisioning"
    assert _sizes() == {_of_app(): (4, 3 * GIB)}


def _ended(pk: str, state: Operation.State) -> None:
    assert end(Operation.objects.filter(pk=pk), End(state, "So it ended."))


def test_a_disk_grows_after_processors_and_memory(
    api: Apis, mia: User, otto: User, disked: Guest
) -> None:
    row = services.ask_resize(disked, Size(4, 3 * GIB, 25 * GIB), "", by=Asker(mia))
    assert row.disk_bytes == 25 * GIB
    assert _disks() == {_of_app(): 10, row.topic: 15}
    first = api(otto).post(f"{row.pk}/approve/").json()["operation"]
    assert _disks() == {_of_app(): 10, row.topic: 15}  # still promised
    _ended(first, Operation.State.SUCCEEDED)
    row.refresh_from_db()
    assert row.state == "provisioning"
    second = Operation.objects.get(pk=row.operation)
    assert (second.kind, second.requested_by) == ("guest.disk-grow", mia)
    assert second.params["target"] == "vda"
    assert second.params["change"] == {"size_bytes": 25 * GIB}
    assert _disks() == {_of_app(): 25}
    _ended(str(second.pk), Operation.State.SUCCEEDED)
    row.refresh_from_db()
    assert row.state == "ready"
    assert _disks() == {_of_app(): 25}


def _approved_and_left(
    api: Apis, mia: User, otto: User, guest: Guest
) -> tuple[Request, str]:
    """Mia asked for more, Otto said yes, and she left; the request and what was begun."""
    row = services.ask_resize(guest, Size(4, 2 * GIB), "", by=Asker(mia))
    operation = str(api(otto).post(f"{row.pk}/approve/").json()["operation"])
    mia.memberships.all().delete()
    return row, operation


def test_what_is_done_is_done_although_who_asked_has_left(
    api: Apis, mia: User, otto: User, disked: Guest
) -> None:
    row, operation = _approved_and_left(api, mia, otto, disked)
    _ended(operation, Operation.State.SUCCEEDED)
    row.refresh_from_db()
    assert row.state == "ready"


def test_only_the_disk_grows(api: Apis, mia: User, otto: User, disked: Guest) -> None:
    row = services.ask_resize(disked, Size(2, 2 * GIB, 20 * GIB), "", by=Asker(mia))
    told = api(otto).post(f"{row.pk}/approve/", disk_bytes=15 * GIB).json()
    assert told["asked"] == {"disk_bytes": 20 * GIB}
    operation = Operation.objects.get(pk=told["operation"])
    assert operation.kind == "guest.disk-grow"
    assert _disks() == {_of_app(): 15}
    _ended(told["operation"], Operation.State.FAILED)
    row.refresh_from_db()
    assert row.state == "failed"
    assert "The disk is as large as it was" in row.failure
    assert _disks() == {_of_app(): 10}
    assert api(mia).post(f"{row.pk}/retry/").json()["state"] == "provisioning"
    assert _disks() == {_of_app(): 15}


def test_a_disk_that_cannot_grow_any_more_is_said(
    api: Apis, mia: User, otto: User, disked: Guest
) -> None:
    row = services.ask_resize(disked, Size(3, 2 * GIB, 20 * GIB), "", by=Asker(mia))
    first = api(otto).post(f"{row.pk}/approve/").json()["operation"]
    Document.objects.all().delete()  # the disk was taken out meanwhile
    _ended(first, Operation.State.SUCCEEDED)
    row.refresh_from_db()
    assert row.state == "failed"
    assert "The disk is as large as it was" in row.failure
    assert _disks() == {_of_app(): 10}


def test_a_disk_never_shrinks_and_what_is_so_already_is_no_wish(
    mia: User, disked: Guest
) -> None:
    with pytest.raises(Invalid, match="It has 10 GiB already; a disk never shrinks"):
        services.ask_resize(disked, Size(2, 2 * GIB, 9 * GIB), "", by=Asker(mia))
    with pytest.raises(Conflict, match="that size already"):
        services.ask_resize(disked, Size(2, 2 * GIB, 10 * GIB), "", by=Asker(mia))
    row = services.ask_resize(disked, Size(1, 2 * GIB, 10 * GIB), "", by=Asker(mia))
    assert row.disk_bytes == 0


def test_a_machine_without_a_disk_of_a_pool_cannot_ask_for_a_larger_one(
    mia: User, app: Guest
) -> None:
    with pytest.raises(Invalid, match="no disk that could grow"):
        services.ask_resize(app, Size(2, 2 * GIB, 9 * GIB), "", by=Asker(mia))


def test_what_one_guest_may_have_at_most_counts_all_of_it(
    mia: User, disked: Guest, web: Project
) -> None:
    ledger.set_quota(web, {"guest_disk_bytes": 20 * GIB})
    with pytest.raises(Conflict, match="One guest of web may not be so large"):
        services.ask_resize(disked, Size(2, 2 * GIB, 21 * GIB), "", by=Asker(mia))


def test_who_left_the_project_gets_no_larger_machine(
    api: Apis, mia: User, otto: User, app: Guest
) -> None:
    _, pk = _approved_and_left(api, mia, otto, app)
    Operation.objects.filter(pk=pk).update(state="running", worker="w")
    run = Run(Claim(Operation.objects.get(pk=pk), "w", 1, taken_over=False))
    with pytest.raises(Exception, match="no such guest"):
        perform(run)


def test_more_than_the_quota_allows_is_not_asked_for(mia: User, app: Guest) -> None:
    with pytest.raises(Conflict, match="left"):
        services.ask_resize(app, Size(9, 2 * GIB), "", by=Asker(mia))
    assert not Request.objects.exists()


def test_one_request_of_a_kind_waits_at_a_time(mia: User, app: Guest) -> None:
    services.ask_resize(app, Size(3, 2 * GIB), "", by=Asker(mia))
    with pytest.raises(Conflict, match="waits already"):
        services.ask_resize(app, Size(4, 2 * GIB), "", by=Asker(mia))
    services.ask_extension(app, 7, "", by=Asker(mia))


def test_more_time_is_given_at_once(
    api: Apis, mia: User, otto: User, app: Guest, keeper: Keeper
) -> None:
    row = services.ask_extension(app, 14, "Not done yet.", by=Asker(mia))
    assert row.state == "pending"
    answer = api(otto).post(f"{row.pk}/approve/", lease_days=7)
    assert answer.json()["state"] == "ready", answer.content
    assert keeper.moved == [(app.pk, 7)]
    assert _sizes() == {_of_app(): (2, 2 * GIB)}
    assert not Operation.objects.exists()


def test_time_that_cannot_be_given_goes_on_being_asked_for(
    api: Apis, mia: User, otto: User, app: Guest, keeper: Keeper
) -> None:
    keeper.refuses = True
    row = services.ask_extension(app, 14, "", by=Asker(mia))
    assert api(otto).post(f"{row.pk}/approve/").status_code == 409
    assert Request.objects.get().state == "pending"
