"""Tags are folders: counted beside the list, narrowing it, and only one's own guests'."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from guests.models import Guest, Twin
from hosts.models import Host
from kvmweb.accounts.models import User
from tests.guests.folders.conftest import FOLDERS, JSON

API = "/api/v1/guests/"
Tagged = Callable[..., Guest]


def counts(client: Client, query: str = "") -> dict[str, tuple[int, int, int]]:
    """What the API says of each folder: guests, running, alarming."""
    said = client.get(f"{FOLDERS}?{query}").json()
    return {
        it["path"]: (it["guests"], it["running"], it["alarming"])
        for it in said["items"]
    }


def names(client: Client, query: str) -> set[str]:
    """The guests of a narrowed list, which the page has, too."""
    said = client.get(f"{API}?{query}").json()
    page = client.get(f"/guests/?{query}").context["page"]
    found = {it["name"] for it in said["items"]}
    assert found == {it.name for it in page.object_list}
    return found


@pytest.fixture
def shop(tagged: Tagged) -> None:
    """Five guests in folders of a shop, and one without a tag."""
    tagged("front", "shop/prod/eu", "linux")
    tagged("back", "shop/prod/us", state="shutoff")
    tagged("both", "shop/prod", "shop/test", state="crashed")
    tagged("trial", "shop/test")
    tagged("shopper", "shopping")
    tagged("plain")
    tagged("lost", "shop/prod", state="gone")


def test_each_guest_counts_once_in_all_folders_above_its_tags(
    shop: None, as_operator: Client
) -> None:
    assert counts(as_operator) == {
        "linux": (1, 1, 0),
        "shop": (4, 2, 1),
        "shop/prod": (3, 1, 1),
        "shop/prod/eu": (1, 1, 0),
        "shop/prod/us": (1, 0, 0),
        "shop/test": (2, 1, 1),
        "shopping": (1, 1, 0),
    }
    assert list(counts(as_operator, "search=test")) == ["shop/test"]
    page = as_operator.get(f"{FOLDERS}?limit=2&offset=1").json()
    assert [it["path"] for it in page["items"]] == ["shop", "shop/prod"]
    assert page["count"] == 7


def test_one_on_two_hosts_at_once_alarms(
    tagged: Tagged, kvm1: Host, as_operator: Client
) -> None:
    other = Host.objects.create(name="kvm2", transport="test")
    Twin.objects.create(guest=tagged("web", "a/b"), host=other, name="web", state="x")
    assert counts(as_operator)["a"] == (1, 1, 1)


def test_a_folder_narrows_the_list_to_itself_and_all_below(
    shop: None, as_operator: Client
) -> None:
    assert names(as_operator, "folder=shop") == {"front", "back", "both", "trial"}
    assert names(as_operator, "folder=shop/prod") == {"front", "back", "both"}
    assert names(as_operator, "folder=shop/test&search=tri") == {"trial"}
    assert names(as_operator, "folder=-") == {"plain"}
    assert names(as_operator, "folder=sho") == set()
    assert names(as_operator, "folder=%25") == set()
    assert names(as_operator, "tag=shop/prod") == {"both"}


def test_the_tree_is_beside_the_list_and_a_select_among_the_filters(
    shop: None, as_operator: Client
) -> None:
    page = as_operator.get("/guests/?folder=shop/prod&sort=-name").content.decode()
    assert '<details data-folder="shop" open>' in page
    assert 'title="3 guests, 1 running, 1 crashed or in conflict"' in page
    assert 'data-drop-folder="shop/prod" aria-current="page"' in page
    assert 'href="?sort=-name&amp;folder=shop/prod/eu"' in page
    assert '<option value="shop/prod" selected>' in page


def test_without_tags_there_is_no_tree(tagged: Tagged, as_operator: Client) -> None:
    tagged("plain")
    assert b"data-drop-folder" not in as_operator.get("/guests/").content


def test_what_was_written_as_a_tag_elsewhere_is_text(
    tagged: Tagged, as_operator: Client
) -> None:
    tagged("odd", '<b>"x')
    page = as_operator.get("/guests/?folder=<b>").content.decode()
    assert "<b>" not in page.replace('value="&lt;b&gt;"', "")


def test_a_tag_may_be_a_path(tagged: Tagged, as_operator: Client) -> None:
    web = tagged("web")
    for tags, wrong in (
        (["shop/prod/eu-1", "linux"], False),
        (["/shop"], True),
        (["shop/"], True),
        (["shop//prod"], True),
        (["/".join("abcdefghi")], True),
        (["x" * 33], True),
        (["/".join(["y" * 30] * 4)], True),
    ):
        answer = as_operator.patch(f"{API}{web.pk}/", {"tags": tags}, JSON)
        assert (answer.status_code == 422) == wrong, tags
        assert answer.status_code in (200, 422), answer.content
    web.refresh_from_db()
    assert web.tag_words == " shop/prod/eu-1 linux "


def test_a_user_sees_folders_of_their_own_guests_only(
    shop: None, tagged: Tagged, user: User, as_user: Client, as_admin: Client
) -> None:
    tagged("mine", "shop/prod/eu", owner=user)
    as_admin.post(FOLDERS, {"path": "shop", "guests": 10}, JSON)
    assert counts(as_user) == {
        "shop": (1, 1, 0),
        "shop/prod": (1, 1, 0),
        "shop/prod/eu": (1, 1, 0),
    }
    assert all(it["limit"] is None for it in as_user.get(FOLDERS).json()["items"])
    for address in ("/guests/", "/guests/?folder=shop", "/guests/folders/"):
        page = as_user.get(address).content.decode()
        assert "shop/prod/eu" in page
        assert "linux" not in page
        assert "shop/test" not in page
        assert "of 10 guests" not in page
    assert names(as_user, "folder=shop") == {"mine"}
    limit = as_admin.get(FOLDERS).json()["items"][1]["limit"]["id"]
    assert as_user.get(f"{FOLDERS}{limit}/").status_code == 403


def test_a_thousand_guests_in_two_hundred_folders_cost_the_same_queries(
    kvm1: Host,
    tagged: Tagged,
    as_operator: Client,
    django_assert_max_num_queries: Callable[[int], Any],
) -> None:
    for number in range(60):
        tagged(f"g{number}", f"team{number % 20}/app{number}/prod", "linux")
    with django_assert_max_num_queries(12):
        page = as_operator.get("/guests/?folder=team1").content.decode()
    assert page.count("data-drop-folder") == 20 + 60 + 60 + 1
    with django_assert_max_num_queries(8):
        as_operator.get(f"{FOLDERS}?limit=500")
