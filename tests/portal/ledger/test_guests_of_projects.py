"""What members may do with a project's guests, and what those cost it."""

import threading
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, connections
from django.test import Client

from guests.models import Guest
from hosts import columns
from hosts.models import Host
from kvmweb.accounts import gate, projects
from kvmweb.accounts.models import Member, Project, User
from kvmweb.accounts.services import Asker
from kvmweb.errors import Conflict
from kvmweb.operations.ending import End, end
from kvmweb.operations.models import Operation
from portal.ledger import charging, queries, services
from portal.ledger.amounts import Amounts
from portal.ledger.models import Charge
from tests.guests.conftest import disk as paper_disk
from tests.guests.creation.conftest import network_of, pool_of, volume_of

GIB = 1024**3
State = Operation.State
JSON = "application/json"


@pytest.fixture
def web(admin: User) -> Project:
    """A project that may have two guests, three vCPUs, 4 GiB and 20 GiB of disk."""
    project = projects.add("web", "", by=Asker(admin))
    limits = {"guests": 2, "vcpus": 3, "memory_bytes": 4 * GIB, "disk_bytes": 20 * GIB}
    services.set_quota(project, limits)
    return project


@pytest.fixture
def joins(admin: User, web: Project) -> Callable[[User, str], None]:
    """Makes somebody a member."""

    def join(user: User, role: str) -> None:
        projects.set_member(web, user, role, by=Asker(admin))

    return join


@pytest.fixture
def home(db: None, redis_server: str) -> Host:
    """A host with room."""
    host = Host.objects.create(
        name="kvm1",
        transport="test",
        state=Host.State.UP,
        arch="i686",
        virt_types=["test"],
        cpus=8,
        memory_bytes=32 * GIB,
        memory_free_bytes=32 * GIB,
    )
    pool_of(host)
    network_of(host)
    return host


def body(name: str, **about: Any) -> dict[str, Any]:
    """A small guest with one disk of 5 GiB."""
    plain = {
        "name": name,
        "project": "web",
        "vcpus": 1,
        "memory_bytes": GIB,
        "disks": [{"size_bytes": 5 * GIB}],
    }
    return plain | about


def made(project: Project, **columns: Any) -> Guest:
    """A guest of the project, charged, as if it had always been there."""
    plain = {"name": "one", "state": "shutoff", "vcpus": 1, "memory_bytes": GIB}
    guest = Guest.objects.create(uuid=uuid4(), project=project, **plain | columns)
    subject = services.of_guest(guest.pk)
    amounts = Amounts(1, guest.vcpus, guest.memory_bytes, 0)
    services.reserve(project, subject, amounts, guest.name)
    services.settle(subject, subject)
    return guest


def test_a_guest_is_charged_when_it_is_asked_for(
    as_admin: Client, web: Project, home: Host
) -> None:
    answer = as_admin.post("/api/v1/guests/", body("first"), content_type=JSON)
    assert answer.status_code == 202, answer.content
    usage = queries.usage([web.pk])[web.pk]
    assert usage.reserved == Amounts(1, 1, GIB, 5 * GIB)
    assert usage.left()["vcpus"] == 2


def test_what_is_too_much_is_refused_and_leaves_nothing(
    as_admin: Client, web: Project, home: Host
) -> None:
    answer = as_admin.post("/api/v1/guests/", body("large", vcpus=4), content_type=JSON)
    assert answer.status_code == 409
    told = answer.json()["detail"]
    assert "vCPUs: 4 wanted, 0 of 3 taken, 3 left" in told
    assert not Operation.objects.exists()
    assert not Charge.objects.exists()


@pytest.mark.parametrize(
    ("state", "left"), [(State.SUCCEEDED, "used"), (State.FAILED, None)]
)
def test_the_end_of_its_making_says_whether_it_stays_charged(
    as_admin: Client, web: Project, home: Host, state: State, left: str | None
) -> None:
    answer = as_admin.post("/api/v1/guests/", body("first"), content_type=JSON)
    row = Operation.objects.filter(pk=answer.json()["id"])
    end(row, End(state, "It ended."))
    assert [charge.state for charge in Charge.objects.all()] == ([left] if left else [])


def test_a_deleted_guest_costs_nothing(web: Project, admin: User) -> None:
    guest = made(web)
    operation = Operation.objects.create(
        kind="guest.delete", guest=guest.pk, requested_by=admin, state=State.RUNNING
    )
    end(Operation.objects.filter(pk=operation.pk), End(State.SUCCEEDED, "Deleted."))
    assert queries.taken(web.pk) == Amounts()


def test_growing_is_refused_beyond_the_quota(
    as_admin: Client, web: Project, home: Host
) -> None:
    guest = made(web, host=home, vcpus=2)
    answer = as_admin.patch(
        f"/api/v1/guests/{guest.pk}/", {"vcpus": 4}, content_type=JSON
    )
    assert answer.status_code == 409
    assert "vCPUs: 2 wanted, 2 of 3 taken, 1 left" in answer.json()["detail"]


def test_one_guest_may_not_be_too_large(web: Project, admin: User) -> None:
    services.set_quota(web, {"guest_vcpus": 1})
    with pytest.raises(Conflict, match="One guest of web may not be so large"):
        services.reserve(web, "request:1", Amounts(1, 2, GIB, 0), "two")


def test_what_was_changed_behind_our_back_counts_also_beyond_the_quota(
    web: Project,
) -> None:
    guest = made(web)
    Guest.objects.filter(pk=guest.pk).update(vcpus=7)
    charging.follow()
    assert queries.taken(web.pk).vcpus == 7


def test_its_disks_count_as_their_pools_say(web: Project, home: Host) -> None:
    volume = volume_of(home.pools.get(), "one.qcow2", capacity_bytes=3 * GIB)
    disk = columns.as_json([paper_disk(volume.path)])
    guest = made(web, host=home, disks=disk)
    charging.follow()
    assert queries.taken(web.pk).disk_bytes == 3 * GIB
    Operation.objects.create(
        kind="guest.disk-grow",
        guest=guest.pk,
        state=State.QUEUED,
        params={"target": "vda", "change": {"size_bytes": 5 * GIB}},
    )
    charging.follow()  # what is on its way is left alone
    assert queries.taken(web.pk).disk_bytes == 3 * GIB


def test_only_an_administrator_gives_a_guest_to_a_project(
    as_operator: Client, as_admin: Client, web: Project, home: Host
) -> None:
    guest = Guest.objects.create(
        uuid=uuid4(), name="loose", state="shutoff", vcpus=2, memory_bytes=GIB
    )
    address = f"/api/v1/guests/{guest.pk}/"
    refused = as_operator.patch(address, {"project": "web"}, content_type=JSON)
    assert refused.status_code == 403
    given = as_admin.patch(address, {"project": web.pk}, content_type=JSON)
    assert (given.status_code, given.json()["project"]) == (200, web.pk)
    assert queries.taken(web.pk).vcpus == 2
    taken = as_admin.patch(address, {"project": None}, content_type=JSON)
    assert taken.json()["project"] is None
    assert queries.taken(web.pk) == Amounts()


@pytest.mark.parametrize(
    (
        "role",
        "answers",
    ),  # 403 at a door: no role of theirs opens it; 409: it has no host
    [
        (None, (404, 404, 403)),
        ("viewer", (200, 403, 403)),
        ("operator", (200, 409, 403)),
        ("owner", (200, 409, 409)),
    ],
)
def test_a_membership_says_what_may_be_done(
    as_user: Client,
    user: User,
    web: Project,
    joins: Callable[[User, str], None],
    role: str | None,
    answers: tuple[int, int, int],
) -> None:
    if role:
        joins(user, role)
    address = f"/api/v1/guests/{made(web).pk}/"
    found = as_user.get("/api/v1/guests/").json()["count"]
    assert found == (1 if role else 0)
    see, start, delete = answers
    assert as_user.get(address).status_code == see
    assert as_user.post(f"{address}start/").status_code == start
    assert as_user.delete(address).status_code == delete


def test_its_owner_loses_it_with_the_membership(
    as_user: Client, user: User, web: Project, joins: Callable[[User, str], None]
) -> None:
    joins(user, Member.Role.OPERATOR)
    address = f"/api/v1/guests/{made(web, owner=user).pk}/"
    assert as_user.delete(address).status_code == 409  # theirs, so they might
    Member.objects.all().delete()
    assert as_user.get(address).status_code == 404


def test_a_token_for_one_project_makes_nobody_more_there(
    token_of: Callable[..., str],
    by_token: Callable[[str], Client],
    admin: User,
    user: User,
    web: Project,
) -> None:
    guest, loose = made(web), Guest.objects.create(uuid=uuid4(), name="loose")
    as_theirs = by_token(token_of(admin, project=web))
    assert as_theirs.get(f"/api/v1/guests/{guest.pk}/").status_code == 200
    assert as_theirs.get(f"/api/v1/guests/{loose.pk}/").status_code == 404
    assert as_theirs.get("/api/v1/hosts/").status_code == 403
    as_stranger = by_token(token_of(user, project=web))
    assert as_stranger.get(f"/api/v1/guests/{guest.pk}/").status_code == 404


@pytest.mark.django_db(transaction=True)
def test_fifty_at_once_never_get_more_than_there_is(web: Project) -> None:
    services.set_quota(
        web, {"guests": 10, "vcpus": None, "memory_bytes": None, "disk_bytes": None}
    )
    said: list[str] = []

    def ask(number: int) -> None:
        try:
            services.reserve(
                web, f"request:{number}", Amounts(1, 1, GIB, GIB), f"guest-{number}"
            )
            said.append("reserved")
        except Conflict:
            said.append("refused")
        finally:
            connections.close_all()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (said.count("reserved"), said.count("refused")) == (10, 40)
    assert queries.taken(web.pk).guests == 10
    connection.close()


def test_a_disabled_member_has_no_right(user: User, web: Project) -> None:
    Member.objects.create(project=web, user=user, role=Member.Role.OWNER)
    assert gate.may_in(user, web.pk, gate.Right.SEE)
    user.is_active = False
    assert not gate.may(user, gate.Right.DECIDE)


def test_what_a_member_is_answered_names_no_host(
    as_user: Client,
    user: User,
    web: Project,
    joins: Callable[[User, str], None],
    home: Host,
) -> None:
    joins(user, Member.Role.OPERATOR)
    guest = made(web, host=home)
    answer = as_user.post(f"/api/v1/guests/{guest.pk}/start/")
    assert answer.status_code == 202
    assert (answer.json()["host"], answer.json()["host_name"]) == (None, "")
    assert b"kvm1" not in answer.content
