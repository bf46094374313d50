"""Flavors: sizes of machines, their order, who sees which, retired and removed."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from guests.images.models import Image
from hosts.models import Host, Network
from kvmweb.accounts.models import Member, Project, User
from portal.flavors.models import Flavor
from portal.projects import scopes
from portal.projects.scope import Scope

GIB = 1024**3
SMALL = {"name": "small", "vcpus": 1, "memory_bytes": GIB, "disk_bytes": 10 * GIB}


def _send(client: Client, method: str, path: str, body: Any = None) -> Any:
    ask: Any = getattr(client, method)
    address = f"/api/v1/{path}"
    if method == "get":
        return ask(address)
    return ask(address, {} if body is None else body, content_type="application/json")


def _names(client: Client, query: str = "") -> list[str]:
    items = _send(client, "get", f"flavors/{query}").json()["items"]
    return [it["name"] for it in items]


def _flavor(name: str, **about: Any) -> Flavor:
    return Flavor.objects.create(**(SMALL | {"name": name} | about))


@pytest.fixture
def shop(redis_server: str, user: User) -> Project:
    """A project of the user."""
    project = Project.objects.create(name="shop")
    Member.objects.create(project=project, user=user)
    return project


def test_an_admin_offers_one_and_everybody_reads_it(
    redis_server: str, as_admin: Client, as_user: Client
) -> None:
    answer = _send(as_admin, "post", "flavors/", SMALL)
    assert answer.status_code == 201, answer.content
    said = answer.json()
    assert said | SMALL == said
    assert (said["price_per_hour"], said["active"]) == (None, True)
    assert _send(as_user, "get", f"flavors/{said['id']}/").json() == said
    assert _send(as_user, "post", "flavors/", SMALL).status_code == 403


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "a\tb"}, "name"),
        ({"vcpus": 0}, "vcpus"),
        ({"vcpus": 5000}, "vcpus"),
        ({"memory_bytes": 1}, "memory_bytes"),
        ({"disk_bytes": 0}, "disk_bytes"),
        ({"price_per_hour": -1}, "price_per_hour"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(
    redis_server: str, as_admin: Client, change: Any, field: str
) -> None:
    answer = _send(as_admin, "post", "flavors/", SMALL | change)
    assert answer.status_code == 422, answer.content
    assert field in answer.json()["errors"]
    assert not Flavor.objects.exists()


def test_a_change_says_only_what_changes(redis_server: str, as_admin: Client) -> None:
    path = f"flavors/{_flavor('small', price_per_hour='0.5').pk}/"
    said = _send(as_admin, "patch", path, {"note": "Builds.", "vcpus": 4}).json()
    assert (said["note"], said["vcpus"], said["price_per_hour"]) == ("Builds.", 4, 0.5)
    said = _send(as_admin, "patch", path, {"price_per_hour": None}).json()
    assert (said["note"], said["price_per_hour"]) == ("Builds.", None)
    _flavor("large")
    assert _send(as_admin, "patch", path, {"name": "large"}).status_code == 409


def test_a_new_one_stands_where_it_was_said(
    redis_server: str, as_admin: Client
) -> None:
    for name, place in (("c", 7), ("a", 1), ("b", 3)):
        answer = _send(
            as_admin, "post", "flavors/", SMALL | {"name": name, "position": place}
        )
        assert answer.json()["position"] == place
    assert _send(as_admin, "post", "flavors/", SMALL).json()["position"] == 8
    assert _names(as_admin)[:3] == ["a", "b", "c"]


def test_they_stand_in_the_order_that_was_chosen(
    redis_server: str, as_admin: Client
) -> None:
    for name in ("small", "large", "huge"):
        _send(as_admin, "post", "flavors/", SMALL | {"name": name})
    assert _names(as_admin) == ["small", "large", "huge"]
    move = reverse("flavor-move", args=[Flavor.objects.get(name="huge").pk])
    as_admin.post(move, {"way": "up"})
    assert _names(as_admin) == ["small", "huge", "large"]
    as_admin.post(move, {"way": "up"})
    as_admin.post(move, {"way": "up"})  # it is the first already
    assert _names(as_admin) == ["huge", "small", "large"]


def test_a_retired_one_is_seen_by_those_who_manage_them(
    redis_server: str, as_admin: Client, as_user: Client
) -> None:
    flavor = _flavor("small")
    as_admin.post(reverse("flavor-retire", args=[flavor.pk]))
    assert (_names(as_admin), _names(as_user)) == (["small"], [])
    assert _send(as_user, "get", f"flavors/{flavor.pk}/").status_code == 404
    assert b"retired" in as_admin.get("/flavors/").content
    as_admin.post(reverse("flavor-retire", args=[flavor.pk]))
    assert _names(as_user) == ["small"]


def test_one_that_a_scope_names_is_for_its_project_only(
    shop: Project, as_user: Client, user: User
) -> None:
    _flavor("plain")
    ours, theirs = _flavor("ours"), _flavor("theirs")
    lab = Project.objects.create(name="lab")
    scopes.keep(lab, Scope(flavors=frozenset({theirs.pk})))
    scopes.keep(shop, Scope(flavors=frozenset({ours.pk})))
    assert set(_names(as_user)) == {"plain", "ours"}
    assert _names(as_user, f"?project={shop.pk}") == ["ours"]
    assert _send(as_user, "get", f"flavors/{theirs.pk}/").status_code == 404
    assert b"theirs" not in as_user.get("/catalogue/").content
    Member.objects.create(project=Project.objects.create(name="free"), user=user)
    assert set(_names(as_user)) == {"plain", "ours", "theirs"}  # that may use any


def test_one_is_removed(redis_server: str, as_admin: Client) -> None:
    flavor = _flavor("small")
    assert _send(as_admin, "delete", f"flavors/{flavor.pk}/").status_code == 204
    assert _send(as_admin, "get", f"flavors/{flavor.pk}/").status_code == 404


def test_the_form_takes_sizes_as_people_type_them(
    redis_server: str, as_admin: Client
) -> None:
    typed = {
        "name": "build",
        "note": "CI.",
        "vcpus": "4",
        "memory": "8g",
        "disk": "1.5 TiB",
    }
    typed["price_per_hour"] = "0.125"
    answer = as_admin.post("/flavors/new/", typed)
    assert answer.status_code == 302
    flavor = Flavor.objects.get()
    assert (flavor.memory_bytes, flavor.disk_bytes) == (8 * GIB, 1536 * GIB)
    page = as_admin.get(f"/flavors/{flavor.pk}/edit/").content.decode()
    for value in ("8 GiB", "1.5 TiB", "0.125"):
        assert f'value="{value}"' in page
    refused = as_admin.post("/flavors/new/", typed | {"memory": "much"})
    assert refused.status_code == 422
    assert 'value="much"' in refused.content.decode()


def test_the_catalogue_shows_what_can_be_asked_for(
    shop: Project, as_user: Client
) -> None:
    flavor = _flavor("small", note="For a try.", price_per_hour="0.05")
    image = Image.objects.create(name="Debian", state="ready", note="A plain server.")
    Image.objects.create(name="Secret", state="ready", offered=False)
    Image.objects.create(name="Broken", state="failed")
    page = as_user.get("/catalogue/").content.decode()
    for words in ("small", "For a try.", "0.05 an hour", "Debian", "A plain server."):
        assert words in page
    assert "Secret" not in page
    assert "Broken" not in page
    asked = f"/requests/new/?project={shop.pk}&amp;"
    assert f"{asked}flavor={flavor.pk}" in page
    assert f"{asked}image={image.pk}" in page
    Member.objects.update(role="viewer")  # who asks for nothing
    assert "/requests/new/" not in as_user.get("/catalogue/").content.decode()


def test_the_api_says_the_same_with_networks_of_the_project(
    shop: Project, as_user: Client
) -> None:
    host = Host.objects.create(name="h1", transport="test")
    about = {"active": True, "autostart": True, "persistent": True}
    for number, name in enumerate(("lan", "dmz")):
        uuid = f"00000000-0000-0000-0000-00000000000{number}"
        Network.objects.create(host=host, uuid=uuid, name=name, **about)
    _flavor("small")
    Image.objects.create(name="Debian", state="ready")
    scopes.keep(shop, Scope(networks=frozenset({"lan"})))
    said = _send(as_user, "get", f"catalogue/?project={shop.pk}").json()
    assert [it["name"] for it in said["flavors"]] == ["small"]
    assert [it["name"] for it in said["images"]] == ["Debian"]
    assert said["networks"] == ["lan"]
    assert "h1" not in str(said)
    assert _send(as_user, "get", "catalogue/").json()["networks"] == []


def test_a_list_costs_the_same_however_long_it_is(
    redis_server: str,
    as_user: Client,
    django_assert_num_queries: Callable[[int], Any],
) -> None:
    _flavor("f")
    # Two who asks; scopes, their roles; flavors, their count.
    with django_assert_num_queries(6):
        _names(as_user)
    for number in range(20):
        _flavor(f"f{number}")
    with django_assert_num_queries(6):
        _names(as_user)
