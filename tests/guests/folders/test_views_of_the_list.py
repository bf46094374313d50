"""Filters, order, folder, columns and height of rows, kept under a name."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from guests.folders.models import ListHabit, SavedView
from guests.models import Guest
from kvmweb.accounts.models import AuditEntry, User
from tests.guests.folders.conftest import JSON

VIEWS = "/api/v1/views/"
Tagged = Callable[..., Guest]


def add(client: Client, name: str = "Shop", **about: Any) -> Any:
    """The answer to keeping a view."""
    plain = {"name": name, "filters": {"folder": "shop", "sort": "-cpu"}}
    return client.post(VIEWS, plain | about, JSON)


def listed(client: Client) -> list[str]:
    """The names of the views somebody may use."""
    return [it["name"] for it in client.get(VIEWS).json()["items"]]


def test_a_view_is_kept_opened_changed_and_deleted(
    tagged: Tagged, as_user: Client, user: User
) -> None:
    tagged("web", "shop/prod", owner=user)
    tagged("lab", "lab", owner=user)
    made = add(as_user, hidden=["disk", "uptime"], dense=True)
    assert made.status_code == 201, made.content
    said = made.json()
    assert said["url"] == f"/guests/?view={said['id']}&folder=shop&sort=-cpu"
    assert (said["mine"], said["shared"], said["default"]) == (True, False, False)
    page = as_user.get(said["url"])
    assert [it.name for it in page.context["page"].object_list] == ["web"]
    text = page.content.decode()
    assert 'class="dense"' in text
    assert 'data-news="disk"' not in text
    assert 'data-news="network"' in text
    assert 'aria-current="page" title="Your own"' in text
    one = f"{VIEWS}{said['id']}/"
    changed = as_user.patch(one, {"name": "Store", "filters": {"state": "x"}}, JSON)
    assert (changed.json()["name"], changed.json()["filters"]) == ("Store", {})
    assert changed.json()["dense"]
    assert as_user.delete(one).status_code == 204
    assert listed(as_user) == []


def test_ones_own_view_is_nobody_elses(as_user: Client, as_admin: Client) -> None:
    one = f"{VIEWS}{add(as_user).json()['id']}/"
    invented = as_admin.get(f"{VIEWS}999999/").json()
    for method in ("get", "patch", "delete"):
        answer = getattr(as_admin, method)(one, {}, content_type=JSON)
        assert (answer.status_code, answer.json()) == (404, invented)
    assert listed(as_admin) == []
    page = as_admin.get(f"/guests/?view={SavedView.objects.get().pk}").content.decode()
    assert "Shop" not in page


def test_a_shared_view_is_everybodys_to_use_and_its_sharers_to_change(
    as_user: Client, as_operator: Client, as_admin: Client
) -> None:
    assert add(as_user, shared=True).status_code == 403
    assert not SavedView.objects.exists()
    said = add(as_operator, shared=True).json()
    assert listed(as_user) == ["Shop"]
    one = f"{VIEWS}{said['id']}/"
    assert as_user.get(one).json()["mine"] is False
    assert as_user.patch(one, {"name": "x"}, JSON).status_code == 403
    assert as_user.delete(one).status_code == 403
    assert as_admin.patch(one, {"name": "All shops"}, JSON).status_code == 200
    assert as_user.patch(one, {"default": True}, JSON).json()["default"] is True
    assert as_operator.get(one).json()["default"] is False
    as_operator.patch(one, {"shared": False}, JSON)
    assert as_user.get(one).status_code == 404
    assert as_user.get("/guests/").status_code == 200
    entries = AuditEntry.objects.filter(target=f"view:{said['id']}")
    assert entries.filter(outcome="succeeded").count() == 3


def test_a_shared_view_shows_a_user_their_own_guests_only(
    tagged: Tagged, user: User, as_user: Client, as_operator: Client
) -> None:
    tagged("mine", "shop", owner=user)
    tagged("other", "shop")
    url = add(as_operator, shared=True).json()["url"]
    rows = as_user.get(url).context["page"].object_list
    assert [it.name for it in rows] == ["mine"]


def test_the_list_begins_with_the_view_one_likes(
    tagged: Tagged, as_operator: Client
) -> None:
    tagged("web", "shop")
    said = add(as_operator, default=True).json()
    assert as_operator.get("/guests/")["Location"] == said["url"]
    for address in ("/guests/?view=all", "/guests/?page=1"):
        assert as_operator.get(address).status_code == 200
    as_operator.patch(f"{VIEWS}{said['id']}/", {"default": False}, JSON)
    assert as_operator.get("/guests/").status_code == 200


@pytest.mark.parametrize(
    ("about", "status"),
    [
        ({"name": "  "}, 422),
        ({"name": "a\tb\x07"}, 422),
        ({"name": "x" * 61}, 422),
        ({"hidden": ["name"]}, 422),
        ({"colour": "red"}, 422),
        ({"name": "Taken"}, 409),
    ],
)
def test_what_is_no_view_is_refused(
    about: dict[str, Any], status: int, as_user: Client
) -> None:
    add(as_user, "Taken")
    answer = add(as_user, **about)
    assert answer.status_code == status, answer.content
    assert SavedView.objects.count() == 1


def test_a_view_is_kept_renamed_and_shared_from_the_list(
    tagged: Tagged, as_operator: Client
) -> None:
    tagged("web", "shop")
    query = "folder=shop&sort=-cpu&page=3"
    kept = as_operator.post("/guests/views/", {"name": " My  shop ", "query": query})
    view = SavedView.objects.get()
    assert kept["Location"].startswith(f"/guests/?view={view.pk}&")
    assert (view.name, view.filters) == ("My shop", {"folder": "shop", "sort": "-cpu"})
    page = as_operator.get(f"/guests/?view={view.pk}&folder=lab").content.decode()
    assert "Keep these filters in it" in page
    one = f"/guests/views/{view.pk}/"
    as_operator.post(f"{one}update/", {"query": "folder=lab"})
    as_operator.post(f"{one}rename/", {"name": "Lab"})
    as_operator.post(f"{one}share/")
    as_operator.post(f"{one}begin/")
    view.refresh_from_db()
    assert (view.name, view.shared, view.filters) == ("Lab", True, {"folder": "lab"})
    assert as_operator.get("/guests/").status_code == 302
    as_operator.post(f"{one}stop/")
    assert as_operator.get("/guests/").status_code == 200
    again = as_operator.post("/guests/views/", {"name": "Lab", "query": query})
    assert again["Location"] == "/guests/?view=all&folder=shop&sort=-cpu"
    assert as_operator.post(f"{one}paint/").status_code == 404
    assert as_operator.post(f"{one}delete/")["Location"] == "/guests/?view=all"
    assert not SavedView.objects.exists()


def test_dense_rows_and_columns_are_remembered_for_each_person(
    tagged: Tagged, user: User, as_user: Client, as_operator: Client
) -> None:
    tagged("web", "shop", owner=user)
    look = "/guests/look/"
    back = as_user.post(look, {"dense": "yes", "query": "folder=shop"})
    assert back["Location"] == "/guests/?view=all&folder=shop"
    chosen = {"chosen": "on", "columns": ["cpu", "address"], "query": ""}
    as_user.post(look, chosen)
    page = as_user.get("/guests/").content.decode()
    assert 'class="dense"' in page
    assert 'data-label="CPU"' in page
    assert 'data-label="Memory"' not in page
    assert 'class="dense"' not in as_operator.get("/guests/").content.decode()
    as_user.post(look, {"dense": "no"})
    habit = ListHabit.objects.get()
    assert (habit.user, habit.dense) == (user, False)
    assert habit.hidden == ["host", "memory", "disk", "network", "uptime"]


def test_in_ones_own_open_view_they_are_kept_with_it(
    tagged: Tagged, as_user: Client, as_operator: Client
) -> None:
    tagged("web", "shop")
    view = add(as_operator, shared=True).json()
    query = f"view={view['id']}&folder=shop"
    about = {"dense": "yes", "query": query, "view": str(view["id"])}
    assert f"view={view['id']}" in as_operator.post("/guests/look/", about)["Location"]
    assert SavedView.objects.get().dense
    assert not ListHabit.objects.filter(dense=True).exists()
    about["dense"] = "no"
    assert "view=all" in as_user.post("/guests/look/", about)["Location"]
    assert SavedView.objects.get().dense


def test_addresses_made_up_lead_nowhere_else(as_user: Client) -> None:
    query = "next=//evil.example&view=//evil&folder=a%0d%0ab"
    for path, about in (
        ("look/", {"dense": "yes"}),
        ("views/", {"name": ""}),
    ):
        answer = as_user.post(f"/guests/{path}", about | {"query": query})
        assert answer["Location"].startswith("/guests/?view=all&folder=a")
        assert "evil" not in answer["Location"]
