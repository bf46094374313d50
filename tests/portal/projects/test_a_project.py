"""Projects by the API: quota, usage, members, scope, and who may say what of them."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from guests.images.models import Image
from guests.models import Guest
from hosts.models import Host
from kvmweb.accounts.models import AuditEntry, Member, Project, User
from kvmweb.errors import NotFound
from kvmweb.live.topics import open_topic
from kvmweb.operations.models import Operation
from portal.flavors.models import Flavor
from portal.ledger import services as ledger
from portal.ledger.models import Quota
from portal.projects import scopes
from tests.portal.projects.conftest import GIB, send, taken


def test_an_admin_makes_one_with_quota_and_members(
    redis_server: str, as_admin: Client, user: User
) -> None:
    quota = {"guests": 3, "vcpus": 8, "memory_bytes": 16 * GIB}
    body = {
        "name": "web",
        "quota": quota,
        "members": [{"user": "uwe", "role": "owner"}],
    }
    answer = send(as_admin, "post", "projects/", body)
    assert answer.status_code == 201, answer.content
    said = answer.json()
    assert said["quota"] == quota | {
        "disk_bytes": None,
        "guest_vcpus": None,
        "guest_memory_bytes": None,
        "guest_disk_bytes": None,
        "snapshots": None,
    }
    assert said["usage"]["guests"] == 0
    assert said["usage"]["left"] == quota | {"disk_bytes": None}
    assert [(it["user"], it["role"]) for it in said["members"]] == [("uwe", "owner")]
    assert send(as_admin, "get", f"projects/{said['id']}/").json() == said
    (listed,) = send(as_admin, "get", "projects/").json()["items"]
    assert listed == said
    done = AuditEntry.objects.filter(target=f"project:{said['id']}")
    assert {"project.add", "project.quota", "project.member"} <= set(
        done.values_list("action", flat=True)
    )


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": "Not A Name"}, "name"),
        ({"name": "x", "quota": {"guests": -1}}, "quota.guests"),
        ({"name": "x", "quota": {"cpus": 1}}, "quota.cpus"),
        ({"name": "x", "members": [{"user": "nobody"}]}, "user"),
        ({"name": "x", "members": [{"user": "uwe", "role": "king"}]}, "members.0.role"),
        ({"name": "x", "scope": {"flavors": ["huge"]}}, "scope.flavors"),
        ({"name": "x", "scope": {"images": [7]}}, "scope.images"),
        ({"name": "x", "scope": {"host_tags": ["A B"]}}, "scope.host_tags"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_made(
    redis_server: str, as_admin: Client, user: User, body: Any, field: str
) -> None:
    answer = send(as_admin, "post", "projects/", body)
    assert answer.status_code == 422, answer.content
    assert field in answer.json()["errors"]
    assert not Project.objects.exists()


def test_a_name_is_given_once(as_admin: Client, shop: Project) -> None:
    assert send(as_admin, "post", "projects/", {"name": "shop"}).status_code == 409


def test_members_see_what_is_used_reserved_and_left(
    as_viewer: Client, shop: Project
) -> None:
    taken(shop, "web", used=True)
    taken(shop, "db")
    usage = send(as_viewer, "get", f"projects/{shop.pk}/").json()["usage"]
    assert (usage["guests"], usage["vcpus"]) == (2, 4)
    assert usage["used"]["guests"] == usage["reserved"]["guests"] == 1
    assert usage["left"]["guests"] == 8
    assert usage["left"]["memory_bytes"] == 32 * GIB
    assert usage["left"]["disk_bytes"] is None


def test_a_change_says_only_what_changes(as_admin: Client, shop: Project) -> None:
    path = f"projects/{shop.pk}/"
    said = send(as_admin, "patch", path, {"quota": {"guests": 5}}).json()
    assert (said["quota"]["guests"], said["quota"]["vcpus"]) == (5, 20)
    said = send(as_admin, "patch", path, {"quota": {"vcpus": None}}).json()
    assert (said["quota"]["guests"], said["quota"]["vcpus"]) == (5, None)
    said = send(as_admin, "patch", path, {"name": "store", "note": ""}).json()
    assert (said["name"], said["note"]) == ("store", "")
    assert said["quota"]["guests"] == 5


def test_a_quota_below_what_is_there_leaves_nothing(
    as_admin: Client, shop: Project
) -> None:
    taken(shop, "web", used=True)
    path = f"projects/{shop.pk}/"
    said = send(as_admin, "patch", path, {"quota": {"guests": 0}}).json()
    assert (said["usage"]["guests"], said["usage"]["left"]["guests"]) == (1, 0)


def test_its_scope_is_kept_by_id_and_survives_what_is_deleted(
    as_admin: Client, shop: Project, small: Flavor
) -> None:
    image = Image.objects.create(name="debian", state="ready")
    scope = {
        "networks": ["lan"],
        "images": ["debian"],
        "flavors": [small.pk],
        "host_tags": ["gpu"],
    }
    path = f"projects/{shop.pk}/"
    said = send(as_admin, "patch", path, {"scope": scope}).json()["scope"]
    assert said == scope | {"images": [image.pk]}
    said = send(as_admin, "patch", path, {"scope": {"networks": []}}).json()["scope"]
    assert (said["networks"], said["host_tags"]) == ([], ["gpu"])
    small.delete()
    assert scopes.of(shop.pk).flavors  # not empty: that would allow all of them


def test_what_it_may_use_names_no_hosts_to_its_members(
    as_viewer: Client, as_admin: Client, shop: Project
) -> None:
    path = f"projects/{shop.pk}/"
    send(as_admin, "patch", path, {"scope": {"host_tags": ["rack-7"]}})
    assert "rack-7" not in send(as_viewer, "get", path).content.decode()
    assert b"rack-7" not in as_viewer.get(f"/projects/{shop.pk}/").content
    assert b"rack-7" in as_admin.get(f"/projects/{shop.pk}/").content


def test_an_owner_lets_people_in_and_out(
    as_owner: Client, shop: Project, person: Callable[..., User]
) -> None:
    mia = person("mia")
    path = f"projects/{shop.pk}/members/"
    answer = send(as_owner, "post", path, {"user": "mia", "role": "viewer"})
    assert answer.status_code == 201
    assert (answer.json()["user"], answer.json()["role"]) == ("mia", "viewer")
    assert (
        send(as_owner, "post", path, {"user": "mia", "role": "owner"}).status_code
        == 201
    )
    assert Member.objects.get(user=mia).role == "owner"
    listed = send(as_owner, "get", path).json()
    assert [it["user"] for it in listed["items"]] == ["mia", "olaf"]
    assert (
        send(as_owner, "patch", f"{path}mia/", {"role": "viewer"}).json()["role"]
        == "viewer"
    )
    assert send(as_owner, "get", f"{path}{mia.pk}/").json()["user"] == "mia"
    assert send(as_owner, "delete", f"{path}mia/").status_code == 204
    assert send(as_owner, "delete", f"{path}mia/").status_code == 404


def test_members_can_be_said_all_at_once(
    as_admin: Client, shop: Project, viewer: User, user: User
) -> None:
    path = f"projects/{shop.pk}/members/"
    answer = send(as_admin, "put", path, [{"user": user.pk, "role": "owner"}])
    assert [it["user"] for it in answer.json()] == ["uwe"]
    wish = {"members": [{"user": "vera", "role": "viewer"}]}
    said = send(as_admin, "patch", f"projects/{shop.pk}/", wish).json()
    assert [it["user"] for it in said["members"]] == ["vera"]


def test_the_last_owner_stays_one(
    as_owner: Client, as_admin: Client, shop: Project
) -> None:
    path = f"projects/{shop.pk}/members/olaf/"
    assert send(as_owner, "patch", path, {"role": "viewer"}).status_code == 409
    assert send(as_owner, "delete", path).status_code == 409
    assert send(as_owner, "put", f"projects/{shop.pk}/members/", []).status_code == 409
    assert Member.objects.get(project=shop).role == "owner"
    assert send(as_admin, "delete", path).status_code == 204


def test_an_owner_cannot_learn_names_by_counting_ids(
    as_owner: Client, shop: Project, user: User
) -> None:
    path, nobody = f"projects/{shop.pk}/members/", 999_999
    said = set()
    for number in (user.pk, str(user.pk), nobody, str(nobody)):
        refused = send(as_owner, "post", path, {"user": number})
        assert refused.status_code == 422
        said.add(refused.json()["errors"]["user"][0])
    assert said == {"Name the person: only administrators add people by number."}


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_nobody_is_in_a_list_of_members_twice(
    as_admin: Client, shop: Project, user: User, role: str
) -> None:
    Member.objects.create(project=shop, user=user, role="owner")
    path = f"projects/{shop.pk}/"
    for again in ("uwe", " UWE", user.pk, str(user.pk)):
        twice = [{"user": "uwe", "role": "operator"}, {"user": again, "role": role}]
        for answer in (
            send(as_admin, "put", f"{path}members/", twice),
            send(as_admin, "patch", path, {"members": twice}),
            send(as_admin, "post", "projects/", {"name": "x", "members": twice}),
        ):
            assert answer.status_code == 422, answer.content
            assert answer.json()["errors"] == {"members": ["uwe is in the list twice."]}
    assert Member.objects.get(project=shop).role == "owner"
    assert not Project.objects.filter(name="x").exists()


def test_only_an_admin_says_how_much_and_of_what(
    as_owner: Client, as_viewer: Client, as_operator: Client, shop: Project
) -> None:
    path = f"projects/{shop.pk}/"
    for client in (as_owner, as_viewer, as_operator):
        for body in ({"quota": {"guests": 99}}, {"name": "mine"}, {"scope": {}}):
            assert send(client, "patch", path, body).status_code == 403
        assert send(client, "delete", path).status_code == 403
        assert send(client, "post", "projects/", {"name": "x"}).status_code == 403
    mixed = {"members": [], "quota": {"guests": 99}}
    assert send(as_owner, "patch", path, mixed).status_code == 403
    for client in (as_viewer, as_operator):
        member = {"user": "vera", "role": "owner"}
        assert send(client, "post", f"{path}members/", member).status_code == 403
        assert send(client, "delete", f"{path}members/olaf/").status_code == 403
    assert Quota.objects.get(project=shop).guests == 10


def test_a_stranger_finds_nothing_whatever_they_try(
    as_stranger: Client, owner: User, shop: Project
) -> None:
    tries: list[tuple[str, str, Any]] = [
        ("get", "", None),
        ("patch", "", {"name": "mine"}),
        ("patch", "", {"members": []}),
        ("delete", "", None),
        ("get", "members/", None),
        ("post", "members/", {"user": "sven", "role": "owner"}),
        ("put", "members/", []),
        ("get", "members/olaf/", None),
        ("patch", "members/olaf/", {"role": "viewer"}),
        ("delete", "members/olaf/", None),
    ]
    for method, path, body in tries:
        foreign = send(as_stranger, method, f"projects/{shop.pk}/{path}", body)
        invented = send(as_stranger, method, f"projects/4711/{path}", body)
        assert foreign.status_code == invented.status_code == 404, (method, path)
        assert foreign.json() == invented.json()
    for page in ("", "edit/", "delete/"):
        assert as_stranger.get(f"/projects/{shop.pk}/{page}").status_code == 404
    for page in ("members/", "members/olaf/remove/"):
        assert as_stranger.post(f"/projects/{shop.pk}/{page}").status_code == 404
    assert as_stranger.get(f"/catalogue/?project={shop.pk}").status_code == 404
    for path in (f"flavors/?project={shop.pk}", f"catalogue/?project={shop.pk}"):
        assert send(as_stranger, "get", path).status_code == 404
    assert b"shop" not in send(as_stranger, "get", "projects/?search=shop").content
    assert b"shop" not in as_stranger.get("/projects/").content
    assert b"shop" not in as_stranger.get("/catalogue/").content


def test_nobody_hears_of_a_project_they_are_not_in(
    shop: Project, viewer: User, user: User, operator: User
) -> None:
    for known in (viewer, operator):
        hear = open_topic(known, shop.topic)
        assert hear("usage", {"project": shop.pk})
    for name in (shop.topic, "project:4711", "project:x", "project"):
        with pytest.raises(NotFound):
            open_topic(user, name)


def test_one_with_guests_or_requests_does_not_end(
    as_admin: Client, shop: Project
) -> None:
    subject = taken(shop, "web")
    host = Host.objects.create(name="h1", transport="test")
    Guest.objects.create(
        uuid=uuid4(), name="db", state="shutoff", host=host, project=shop
    )
    answer = send(as_admin, "delete", f"projects/{shop.pk}/")
    assert answer.status_code == 409
    assert "the guest web" in answer.json()["detail"]
    assert "the guest db" in answer.json()["detail"]
    ledger.release(subject)
    Guest.objects.update(project=None)
    assert send(as_admin, "delete", f"projects/{shop.pk}/").status_code == 204
    assert send(as_admin, "get", f"projects/{shop.pk}/").status_code == 404


def test_a_list_costs_the_same_however_long_it_is(
    as_admin: Client,
    shop: Project,
    viewer: User,
    django_assert_num_queries: Callable[[int], Any],
) -> None:
    def ask() -> int:
        return int(send(as_admin, "get", "projects/").json()["count"])

    # Two who asks, their roles; projects, their count, members, quotas, charges, scopes.
    with django_assert_num_queries(9):
        assert ask() == 1
    for number in range(20):
        more = Project.objects.create(name=f"p{number}")
        Member.objects.create(project=more, user=viewer)
        taken(more, f"g{number}")
    with django_assert_num_queries(9):
        assert ask() == 21


def test_another_name_is_written_to_the_documents_of_its_guests(
    as_admin: Client, shop: Project
) -> None:
    hosts = [
        Host.objects.create(name=name, transport="test", state=state)
        for name, state in (("kvm1", Host.State.UP), ("kvm2", Host.State.DOWN))
    ]
    for number, host in enumerate((hosts[0], hosts[0], hosts[1])):
        about = {"host": host, "project": shop, "state": "shutoff"}
        Guest.objects.create(uuid=uuid4(), name=f"web-{number}", **about)
    path = f"projects/{shop.pk}/"
    assert send(as_admin, "patch", path, {"note": "Sells."}).status_code == 200
    assert not Operation.objects.exists()
    assert send(as_admin, "patch", path, {"name": "store"}).status_code == 200
    operation = Operation.objects.get()
    assert (operation.kind, operation.host) == ("guest.label-many", hosts[0].pk)
    assert len(operation.params["guests"]) == 2
