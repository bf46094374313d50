"""A token limited to a project: never more than its user, and nothing outside of it."""

import re
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.test import Client
from django.utils import timezone

from guests import console
from guests.models import ConsoleTicket, Guest
from hosts.models import Host
from kvmweb.accounts import bearer
from kvmweb.accounts.models import Member, Project, Token, User
from kvmweb.accounts.routes import every_door
from kvmweb.errors import NotFound
from kvmweb.live.identity import Caller
from kvmweb.live.topics import open_topic
from kvmweb.operations.models import Operation
from portal.leases.models import Lease
from portal.requests.models import Request
from tests.portal.projects.conftest import send, taken

INSIDE, OUTSIDE, OWN = (UUID(int=number) for number in (1, 2, 3))
SECRET = "foreign-secret"
ByToken = Callable[[str], Client]


@pytest.fixture
def scene(shop: Project, lab: Project, owner: User) -> User:
    """The owner of the shop, who is in the lab, too, and owns a guest in no project."""
    Member.objects.create(project=lab, user=owner, role="owner")
    Project.objects.filter(pk=lab.pk).update(name=f"{SECRET}-project")
    host = Host.objects.create(name="h1", transport="test", state="up")
    for uuid, name, project in (
        (INSIDE, "inside", shop),
        (OUTSIDE, f"{SECRET}-guest", lab),
        (OWN, f"{SECRET}-own", None),
    ):
        Guest.objects.create(
            uuid=uuid,
            name=name,
            state="running",
            host=host,
            project=project,
            owner=owner,
            graphics=[{"kind": "vnc"}],
        )
        Operation.objects.create(
            id=UUID(int=uuid.int + 10),
            kind="guest.start",
            state="succeeded",
            guest=uuid,
            guest_name=name,
            requested_by=owner,
            author=owner.username,
        )
    taken(lab, f"{SECRET}-charge")
    for project, name in ((shop, "asked-inside"), (lab, f"{SECRET}-asked")):
        about = {"requester": owner, "author": owner.username, "reason": name}
        Request.objects.create(project=project, name=name, **about)
    ends_at = timezone.now() + timedelta(days=3)
    Lease.objects.create(
        guest=OUTSIDE, guest_name=f"{SECRET}-guest", project=lab, ends_at=ends_at
    )
    return owner


@pytest.fixture
def limited(
    scene: User, shop: Project, by_token: ByToken, token_of: Callable[..., str]
) -> Client:
    """A program with a token of the owner for the shop alone."""
    return by_token(token_of(scene, project=shop))


def test_it_does_in_its_project_what_its_user_may(
    limited: Client, shop: Project
) -> None:
    assert send(limited, "get", f"guests/{INSIDE}/").json()["name"] == "inside"
    assert send(limited, "post", f"guests/{INSIDE}/pause/").status_code == 202
    assert [it["name"] for it in send(limited, "get", "projects/").json()["items"]] == [
        "shop"
    ]
    said = send(limited, "get", "me/").json()
    assert (said["username"], said["token_project"]) == ("olaf", shop.pk)


def test_no_address_of_the_api_tells_it_of_anything_else(
    limited: Client, lab: Project
) -> None:
    values = {
        "uuid": str(OUTSIDE),
        "operation_id": str(UUID(int=OUTSIDE.int + 10)),
        "project_id": str(lab.pk),
        "request_id": str(Request.objects.get(project=lab).pk),
        "lease_id": str(Lease.objects.get().pk),
    }
    for door in every_door():
        if not door.route.startswith("/api/v1/") or door.method != "GET":
            continue
        address = _filled(door.route, values)
        answer = limited.get(f"{address}?search={SECRET}&limit=500")
        assert answer.status_code != 500, address
        told = answer.content.decode().replace(f"search={SECRET}", "")
        assert SECRET not in told, (address, told[:300])
        if any(f"{name}>" in door.route for name in values):
            assert answer.status_code in {403, 404}, address


def _filled(route: str, values: dict[str, str]) -> str:
    return re.sub(r"<(?:\w+:)?(\w+)>", lambda found: values.get(found[1], "1"), route)


@pytest.mark.parametrize("uuid", [OUTSIDE, OWN])
def test_it_changes_nothing_else(limited: Client, uuid: UUID, lab: Project) -> None:
    invented = send(limited, "post", f"guests/{uuid4()}/pause/")
    for method, path, body in (
        ("get", "", None),
        ("patch", "", {"description": "x"}),
        ("delete", "", None),
        ("post", "pause/", None),
        ("post", "console/", {"kind": "vnc"}),
        ("post", "snapshots/", {"name": "s"}),
        ("get", "snapshots/", None),
        ("get", "stats/", None),
    ):
        answer = send(limited, method, f"guests/{uuid}/{path}", body)
        assert answer.status_code == 404, (method, path, answer.content)
        assert answer.json()["detail"] == invented.json()["detail"]
    operation = UUID(int=uuid.int + 10)
    assert send(limited, "get", f"operations/{operation}/").status_code == 404
    assert send(limited, "post", f"operations/{operation}/cancel/").status_code == 404
    for method in ("get", "patch", "delete"):
        assert send(limited, method, f"projects/{lab.pk}/").status_code == 404


def test_lists_and_search_know_only_what_is_in_it(limited: Client) -> None:
    assert [it["name"] for it in send(limited, "get", "guests/").json()["items"]] == [
        "inside"
    ]
    assert send(limited, "get", f"guests/?search={SECRET}").json()["count"] == 0
    found = send(limited, "get", "operations/").json()["items"]
    assert [it["guest"] for it in found] == [str(INSIDE)]
    asked = send(limited, "get", "requests/").json()["items"]
    assert [it["name"] for it in asked] == ["asked-inside"]


def test_sockets_tell_it_no_more(
    scene: User, shop: Project, lab: Project, token_of: Callable[..., str]
) -> None:
    user = Caller(token=token_of(scene, project=shop)).user()
    assert user
    open_topic(user, f"guest:{INSIDE}")
    open_topic(user, shop.topic)
    for name in (f"guest:{OUTSIDE}", f"guest:{OWN}", lab.topic, "hosts"):
        with pytest.raises(NotFound):
            open_topic(user, name)
    hear = open_topic(user, "operations")
    news = {"requested_by": "olaf", "guest": str(OUTSIDE)}
    assert hear("operation", news) is None
    both = {"guests": {str(INSIDE): {}, str(OUTSIDE): {}, str(OWN): {}}}
    assert open_topic(user, "guests")("stats", both) == {"guests": {str(INSIDE): {}}}


def test_a_screen_it_opened_ends_when_the_guest_leaves_the_project(
    limited: Client, lab: Project
) -> None:
    answer = send(limited, "post", f"guests/{INSIDE}/console/", {"kind": "vnc"})
    assert answer.status_code in {200, 201}, answer.content
    ticket = ConsoleTicket.objects.select_related("token").get()
    console.need_right(ticket)
    Guest.objects.filter(pk=INSIDE).update(project=lab)  # where its user is, too
    with pytest.raises(NotFound):
        console.need_right(ticket)


@pytest.mark.parametrize("role", ["admin", "operator"])
def test_who_runs_the_fleet_is_nobody_outside_of_it(
    scene: User,
    shop: Project,
    role: str,
    by_token: ByToken,
    token_of: Callable[..., str],
    request: pytest.FixtureRequest,
) -> None:
    client = by_token(token_of(request.getfixturevalue(role), project=shop))
    assert send(client, "get", f"guests/{INSIDE}/").status_code == 200
    assert send(client, "get", f"guests/{OUTSIDE}/").status_code == 404
    for path in ("hosts/", "users/", "audit/", "images/", "balance/rules/", "moves/"):
        assert send(client, "get", path).status_code == 403, path
    for path in ("projects/", "flavors/", "guests/"):
        assert send(client, "post", path, {"name": "x"}).status_code == 403, path
    wish = {"quota": {"guests": 99}}
    assert send(client, "patch", f"projects/{shop.pk}/", wish).status_code == 403


def test_a_viewer_of_the_project_stays_one(
    shop: Project,
    scene: User,
    viewer: User,
    by_token: ByToken,
    token_of: Callable[..., str],
) -> None:
    client = by_token(token_of(viewer, project=shop))
    assert send(client, "get", f"guests/{INSIDE}/").status_code == 200
    assert send(client, "post", f"guests/{INSIDE}/pause/").status_code == 403
    Member.objects.filter(user=viewer).delete()
    assert send(client, "get", f"guests/{INSIDE}/").status_code == 404
    assert send(client, "get", "projects/").json()["count"] == 0


def test_it_makes_no_token_that_reaches_further(
    limited: Client, shop: Project, lab: Project
) -> None:
    made = send(limited, "post", "tokens/", {"name": "more"})
    assert made.status_code == 201
    assert made.json()["project"] == shop.pk
    for project in (lab.pk, 4711):
        answer = send(limited, "post", "tokens/", {"name": "x", "project": project})
        assert answer.status_code == 422, answer.content


def test_it_knows_and_ends_only_tokens_for_the_same_project(
    limited: Client, scene: User, token_of: Callable[..., str], shop: Project
) -> None:
    token_of(scene)
    whole = Token.objects.get(user=scene, project=None)
    listed = send(limited, "get", "tokens/").json()["items"]
    assert [it["project"] for it in listed] == [shop.pk]
    assert send(limited, "delete", f"tokens/{whole.pk}/").status_code == 404
    whole.refresh_from_db()
    assert whole.revoked_at is None


def test_it_is_made_by_the_api_and_on_the_page(
    scene: User,
    shop: Project,
    lab: Project,
    as_owner: Client,
    user: User,
    as_user: Client,
) -> None:
    body = {"name": "ci", "scope": "read", "project": shop.pk}
    said = send(as_owner, "post", "tokens/", body).json()
    assert (said["project"], said["scope"]) == (shop.pk, "read")
    token = bearer.find(said["token"])
    assert token
    assert token.project == shop
    page = as_owner.get("/account/").content.decode()
    assert f'<option value="{lab.pk}">' in page
    typed = {"name": "ci2", "scope": "write", "days": "30", "project": str(lab.pk)}
    assert as_owner.post("/account/tokens/new/", typed).status_code == 200
    assert Token.objects.get(name="ci2").project == lab
    # Whoever is not in the project can neither choose nor name it.
    assert (
        f'<option value="{shop.pk}">' not in as_user.get("/account/").content.decode()
    )
    assert as_user.post("/account/tokens/new/", typed).status_code == 422
    assert send(as_user, "post", "tokens/", body).status_code == 422
    assert not Token.objects.filter(user=user).exists()


def test_its_end_comes_with_the_project(
    limited: Client, as_admin: Client, shop: Project
) -> None:
    Guest.objects.update(project=None)
    assert send(as_admin, "delete", f"projects/{shop.pk}/").status_code == 204
    assert send(limited, "get", "me/").status_code == 401
