"""Guests go from folder to folder, and folders get new names: all or none, as one."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from guests.balance.models import PlacementRule
from guests.folders.models import FolderLimit, SavedView
from guests.models import Guest
from hosts.models import Host
from kvmweb.accounts.models import AuditEntry, Member, Project, User
from kvmweb.operations.models import Operation
from tests.guests.folders.conftest import FOLDERS, JSON

Tagged = Callable[..., Guest]


def move(client: Client, *guests: Guest, **about: str) -> Any:
    """The answer to moving these guests."""
    body = {"guests": [str(it.pk) for it in guests]} | about
    return client.post(f"{FOLDERS}move/", body, JSON)


def rename(client: Client, path: str, to: str) -> Any:
    """The answer to giving a folder another path."""
    return client.post(f"{FOLDERS}rename/", {"path": path, "to": to}, JSON)


def tags() -> dict[str, list[str]]:
    """The tags of every guest; the words to search by say the same."""
    rows = Guest.objects.order_by("name")
    assert all(it.tag_words.split() == it.tags for it in rows)
    return {it.name: it.tags for it in rows}


@pytest.mark.parametrize(
    ("about", "then"),
    [
        ({"to": "lab"}, ["shop/prod/eu", "shop/prod", "linux", "lab"]),
        ({"to": "lab", "from": "shop"}, ["linux", "lab"]),
        ({"to": "lab", "from": "shop/prod/eu"}, ["shop/prod", "linux", "lab"]),
        ({"to": "", "from": "shop"}, ["linux"]),
        ({"to": "shop", "from": "shop/prod"}, ["linux", "shop"]),
        ({"to": "shop/prod", "from": "shop"}, ["shop/prod/eu", "shop/prod", "linux"]),
        ({"to": "shop/prod"}, ["shop/prod/eu", "shop/prod", "linux"]),
    ],
)
def test_what_a_move_makes_of_tags(
    about: dict[str, str], then: list[str], tagged: Tagged, as_operator: Client
) -> None:
    web = tagged("web", "shop/prod/eu", "shop/prod", "linux")
    answer = move(as_operator, web, **about)
    assert answer.status_code == 200, answer.content
    assert tags()["web"] == then
    changed = then != ["shop/prod/eu", "shop/prod", "linux"]
    assert answer.json() == {"changed": int(changed), "left": 0}


def test_a_move_is_one_audited_change_and_hosts_are_told_once(
    tagged: Tagged, kvm1: Host, as_operator: Client
) -> None:
    guests = [tagged(f"web-{number}", "old") for number in range(3)]
    assert move(as_operator, *guests, **{"from": "old", "to": "new"}).status_code == 200
    (entry,) = AuditEntry.objects.filter(action="folder.move")
    assert (entry.target, entry.details["count"]) == ("folder:new", 3)
    assert entry.details["guests"] == ["web-0", "web-1", "web-2"]
    operation = Operation.objects.get()
    assert (operation.kind, operation.host) == ("guest.label-many", kvm1.pk)
    assert len(operation.params["guests"]) == 3


@pytest.mark.parametrize(
    "body",
    [
        {"to": "No Folder"},
        {"to": ""},
        {"to": "/"},
        {"to": "a", "guests": []},
        {"to": "a", "guests": ["x"]},
    ],
)
def test_what_is_no_move_is_refused(
    body: dict[str, Any], tagged: Tagged, as_operator: Client
) -> None:
    plain = {"guests": [str(tagged("web", "old").pk)]}
    answer = as_operator.post(f"{FOLDERS}move/", plain | body, JSON)
    assert answer.status_code == 422
    assert tags() == {"web": ["old"]}


def test_nobody_moves_what_they_do_not_see(
    tagged: Tagged, user: User, as_user: Client
) -> None:
    mine, other = tagged("mine", "a", owner=user), tagged("other", "a")
    assert move(as_user, mine, other, to="b").status_code == 404
    gone = {"guests": [str(mine.pk), str(uuid4())], "to": "b"}
    invented = as_user.post(f"{FOLDERS}move/", gone, JSON)
    assert invented.json() == move(as_user, mine, other, to="b").json()
    assert tags() == {"mine": ["a"], "other": ["a"]}
    assert move(as_user, mine, **{"from": "a", "to": "b"}).status_code == 200
    assert tags() == {"mine": ["b"], "other": ["a"]}


def test_a_viewer_of_a_project_moves_and_renames_nothing_of_it(
    tagged: Tagged, user: User, as_user: Client
) -> None:
    project = Project.objects.create(name="shop")
    Member.objects.create(project=project, user=user, role="viewer")
    theirs = tagged("theirs", "a/b", project=project)
    tagged("mine", "a", owner=user)
    assert move(as_user, theirs, to="b").status_code == 403
    assert rename(as_user, "a", "z").json() == {"changed": 1, "left": 1}
    assert tags() == {"mine": ["z"], "theirs": ["a/b"]}
    assert rename(as_user, "a", "z").status_code == 403


def test_a_folder_is_renamed_with_all_below_it_as_one_change(
    tagged: Tagged, as_admin: Client, admin: User
) -> None:
    tagged("one", "shop/prod/eu", "linux")
    tagged("two", "shop/prod", "store/live")
    tagged("three", "shop/production")
    FolderLimit.objects.create(path="shop/prod/eu", guests=3)
    PlacementRule.objects.create(tag="shop/prod", kind="apart")
    view = SavedView.objects.create(
        owner=admin, name="prod", filters={"folder": "shop/prod", "sort": "cpu"}
    )
    answer = rename(as_admin, "shop/prod", "store/live")
    assert answer.json() == {"changed": 2, "left": 0}
    assert tags() == {
        "one": ["store/live/eu", "linux"],
        "two": ["store/live"],
        "three": ["shop/production"],
    }
    assert FolderLimit.objects.get().path == "store/live/eu"
    assert PlacementRule.objects.get().tag == "store/live"
    view.refresh_from_db()
    assert view.filters == {"folder": "store/live", "sort": "cpu"}
    (entry,) = AuditEntry.objects.filter(action="folder.rename")
    assert entry.details["to"] == "store/live"


def test_a_user_renames_their_own_guests_folder_only(
    tagged: Tagged, user: User, as_user: Client
) -> None:
    tagged("mine", "shop/prod", owner=user)
    tagged("other", "shop/prod")
    tagged("hidden", "secret")
    FolderLimit.objects.create(path="shop", guests=9)
    assert rename(as_user, "shop", "mine").json() == {"changed": 1, "left": 0}
    assert tags()["mine"] == ["mine/prod"]
    assert tags()["other"] == ["shop/prod"]
    assert FolderLimit.objects.get().path == "shop"
    foreign, invented = (rename(as_user, it, "x") for it in ("secret", "nothing"))
    assert (foreign.status_code, foreign.json()) == (404, invented.json())


def test_a_rename_that_cannot_be_changes_nothing(
    tagged: Tagged, as_admin: Client
) -> None:
    tagged("web", "/".join("abcdef"))
    tagged("more", "shop")
    FolderLimit.objects.create(path="a", guests=9)
    FolderLimit.objects.create(path="shop", guests=1)
    assert rename(as_admin, "a", "a/x").status_code == 422
    assert rename(as_admin, "a/b", "x y").status_code == 422
    assert rename(as_admin, "a/b", "k/l/m/n/o").status_code == 422  # too deep then
    both = rename(as_admin, "a", "shop")
    assert (both.status_code, "limits both" in both.json()["detail"]) == (409, True)
    full = rename(as_admin, "a/b", "shop/b")
    assert (full.status_code, "is full" in full.json()["detail"]) == (409, True)
    assert tags() == {"web": ["a/b/c/d/e/f"], "more": ["shop"]}
    assert not AuditEntry.objects.filter(action="folder.rename").exists()


def test_a_folder_is_renamed_on_its_page(tagged: Tagged, as_operator: Client) -> None:
    tagged("web", "shop/prod")
    page = "/guests/folders/rename/?folder=shop"
    assert b"Rename shop" in as_operator.get(page).content
    assert as_operator.post(page, {"to": "no no"}).status_code == 422
    done = as_operator.post(page, {"to": "Store"})
    assert done["Location"] == "/guests/?folder=store"
    assert tags() == {"web": ["store/prod"]}


def test_the_way_there_by_keyboard_is_in_the_bar_of_chosen_guests(
    tagged: Tagged, as_operator: Client
) -> None:
    tagged("web", "shop/prod")
    page = as_operator.get("/guests/?folder=shop").content.decode()
    assert "Move from shop" in page
    assert "Take out of shop" in page
    assert '<option value="shop/prod"></option>' in page
