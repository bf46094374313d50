"""A folder holds so much and no more: whatever brings more is refused, and says why."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from guests.folders.models import FolderLimit
from guests.models import Guest
from hosts.models import Host
from kvmweb.accounts.models import AuditEntry, User
from kvmweb.operations.models import Operation
from tests.guests.cloning.test_cloning_a_guest import disk_of
from tests.guests.creation.conftest import GIB, volume_of
from tests.guests.folders.conftest import FOLDERS, JSON

API = "/api/v1/guests/"
Tagged = Callable[..., Guest]


@pytest.fixture
def limit(db: None) -> Callable[..., FolderLimit]:
    """Limits folders: `limit("shop", guests=10)`."""
    return lambda path, **most: FolderLimit.objects.create(path=path, **most)


def make(client: Client, name: str, *tags: str, **about: Any) -> Any:
    """The answer to asking for a guest with these tags."""
    body = {
        "name": name,
        "vcpus": 2,
        "memory_bytes": GIB,
        "disks": [{"size_bytes": 10 * GIB}],
        "tags": list(tags),
    }
    return client.post(API, body | about, JSON)


def used(client: Client, path: str) -> dict[str, int]:
    """What the API says is used of a limit."""
    items = client.get(f"{FOLDERS}?limit=500").json()["items"]
    (found,) = [it["limit"]["used"] for it in items if it["path"] == path]
    return dict(found)


def test_an_admin_limits_a_folder_changes_that_and_takes_it_away(
    as_admin: Client, as_operator: Client, tagged: Tagged
) -> None:
    tagged("web", "shop/prod")
    body = {"path": "shop", "guests": 3, "memory_bytes": 8 * GIB, "note": "for Erik"}
    assert as_operator.post(FOLDERS, body, JSON).status_code == 403
    made = as_admin.post(FOLDERS, body, JSON)
    assert made.status_code == 201, made.content
    said = made.json()
    assert (said["limit"]["guests"], said["limit"]["vcpus"]) == (3, None)
    assert (said["used"]["guests"], said["used"]["vcpus"]) == (1, 2)
    assert as_admin.post(FOLDERS, body, JSON).status_code == 409
    one = f"{FOLDERS}{said['id']}/"
    changed = as_admin.patch(one, {"guests": 5, "memory_bytes": None}, JSON).json()
    assert (changed["limit"]["guests"], changed["note"]) == (5, "for Erik")
    assert changed["limit"]["memory_bytes"] is None
    assert as_operator.get(one).json() == changed
    assert as_operator.delete(one).status_code == 403
    assert as_admin.delete(one).status_code == 204
    assert as_admin.get(one).status_code == 404
    actions = AuditEntry.objects.filter(target="folder:shop", outcome="succeeded")
    assert sorted(actions.values_list("action", flat=True)) == [
        "folder.limit",
        "folder.limit",
        "folder.unlimit",
    ]


@pytest.mark.parametrize(
    "body",
    [
        {"path": "Shop", "guests": 1},
        {"path": "shop//x", "guests": 1},
        {"path": "shop"},
        {"path": "shop", "guests": -1},
        {"path": "shop", "disk_bytes": 2**60},
        {"path": "shop", "guests": 1, "hosts": 1},
    ],
)
def test_what_is_no_limit_is_refused(body: dict[str, Any], as_admin: Client) -> None:
    assert as_admin.post(FOLDERS, body, JSON).status_code == 422
    assert not FolderLimit.objects.exists()


def test_a_new_guest_too_many_is_refused_and_says_what_is_left(
    limit: Callable[..., FolderLimit], tagged: Tagged, as_operator: Client
) -> None:
    limit("shop", guests=2, vcpus=5)
    tagged("web", "shop/prod")
    assert make(as_operator, "one", "shop/test", "linux").status_code == 202
    answer = make(as_operator, "two", "shop/prod")
    assert answer.status_code == 409
    said = answer.json()["detail"]
    assert "The folder shop is full" in said
    assert "2 of 2 guests are used, 1 more is wanted, 0 left" in said
    assert "4 of 5 vCPUs are used, 2 more are wanted, 1 left" in said
    assert make(as_operator, "two", "shopping").status_code == 202
    assert Operation.objects.filter(kind="guest.create").count() == 2
    assert used(as_operator, "shop") == {
        "guests": 2,
        "vcpus": 4,
        "memory_bytes": 2 * GIB,
        "disk_bytes": 10 * GIB,
    }


def test_what_failed_is_not_counted_any_more(
    limit: Callable[..., FolderLimit], kvm1: Host, as_operator: Client
) -> None:
    limit("shop", disk_bytes=15 * GIB)
    assert make(as_operator, "one", "shop").status_code == 202
    refused = make(as_operator, "two", "shop")
    assert "10 GiB of 15 GiB of disks are used" in refused.json()["detail"]
    Operation.objects.update(state="failed", finished_at=timezone.now())
    assert make(as_operator, "two", "shop").status_code == 202


def test_several_at_once_come_all_or_none(
    limit: Callable[..., FolderLimit], kvm1: Host, as_operator: Client
) -> None:
    limit("shop", guests=3)
    assert make(as_operator, "web", "shop", count=4).status_code == 409
    assert not Operation.objects.exists()
    assert make(as_operator, "web", "shop", count=3).status_code == 202


def test_a_clone_lies_where_its_original_lay_when_it_was_asked_for(
    limit: Callable[..., FolderLimit], tagged: Tagged, kvm1: Host, as_operator: Client
) -> None:
    limit("shop", disk_bytes=35 * GIB)
    volume = volume_of(kvm1.pools.get(), "web.qcow2")
    disks = [disk_of(volume.path)]
    web = tagged("web", "shop", state="shutoff", template=True, disks=disks)
    asked = f"{API}{web.pk}/clone/"
    for name in ("a", "b"):
        answer = as_operator.post(asked, {"name": name, "linked": True}, JSON)
        assert answer.status_code == 202, answer.content
    Guest.objects.filter(pk=web.pk).update(tags=[], tag_words="")
    assert used(as_operator, "shop")["disk_bytes"] == 20 * GIB
    Guest.objects.filter(pk=web.pk).update(tags=["shop"], tag_words=" shop ")
    answer = as_operator.post(asked, {"name": "c", "linked": True}, JSON)
    assert answer.status_code == 409
    assert "30 GiB of 35 GiB of disks are used" in answer.json()["detail"]


def test_a_tag_that_would_put_too_much_into_a_folder_is_refused(
    limit: Callable[..., FolderLimit], tagged: Tagged, as_operator: Client
) -> None:
    limit("shop", memory_bytes=2 * GIB)
    tagged("web", "shop/prod")
    large = tagged("large", "lab", memory_bytes=3 * GIB)
    one = f"{API}{large.pk}/"
    answer = as_operator.patch(one, {"tags": ["shop/test"], "protected": True}, JSON)
    assert answer.status_code == 409
    assert "3 GiB more are wanted, 1 GiB left" in answer.json()["detail"]
    large.refresh_from_db()
    assert (large.tags, large.protected) == (["lab"], False)
    page = as_operator.post(f"/guests/{large.pk}/edit/", {"tags": "shop"})
    assert b"The folder shop is full" in page.content
    moved = as_operator.post(
        f"{FOLDERS}move/", {"guests": [str(large.pk)], "to": "shop"}, JSON
    )
    assert moved.status_code == 409


def test_a_guest_grows_until_its_folder_is_full(
    limit: Callable[..., FolderLimit], tagged: Tagged, kvm1: Host, as_operator: Client
) -> None:
    limit("shop", vcpus=4, disk_bytes=30 * GIB)
    volume = volume_of(kvm1.pools.get(), "web.qcow2")
    disks = [disk_of(volume.path, target="sda")]
    web = tagged("web", "shop", state="shutoff", disks=disks)
    one = f"{API}{web.pk}/"
    answer = as_operator.patch(one, {"vcpus": 5}, JSON)
    assert answer.status_code == 409
    assert "2 of 4 vCPUs are used, 3 more are wanted" in answer.json()["detail"]
    assert as_operator.patch(one, {"vcpus": 4}, JSON).status_code == 202
    assert used(as_operator, "shop")["vcpus"] == 4
    Operation.objects.update(state="succeeded", finished_at=timezone.now())
    assert used(as_operator, "shop")["vcpus"] == 4  # its host has not said so yet
    soon = timezone.now() + timedelta(seconds=1)
    Guest.objects.update(seen_at=soon, vcpus=3)
    assert used(as_operator, "shop")["vcpus"] == 3  # now it has, and otherwise
    disk = as_operator.post(f"{one}disks/", {"size_bytes": 25 * GIB}, JSON)
    assert disk.status_code == 409, disk.content
    assert "10 GiB of 30 GiB of disks are used" in disk.json()["detail"]
    disk = as_operator.post(f"{one}disks/", {"size_bytes": 20 * GIB}, JSON)
    assert disk.status_code == 202, disk.content
    assert used(as_operator, "shop")["disk_bytes"] == 30 * GIB


def test_moving_away_and_growing_at_once_is_asked_where_it_goes(
    limit: Callable[..., FolderLimit], tagged: Tagged, as_operator: Client
) -> None:
    limit("shop", vcpus=4)
    web = tagged("web", "lab")
    body = {"tags": ["shop"], "vcpus": 6}
    answer = as_operator.patch(f"{API}{web.pk}/", body, JSON)
    assert answer.status_code == 409
    web.refresh_from_db()
    assert web.tags == ["lab"]


def test_what_lies_there_already_stays_and_may_shrink(
    limit: Callable[..., FolderLimit], tagged: Tagged, as_operator: Client
) -> None:
    web = tagged("web", "shop/prod", state="shutoff", vcpus=8)
    tagged("api", "shop/prod")
    limit("shop", guests=1, vcpus=1)
    one = f"{API}{web.pk}/"
    assert as_operator.patch(one, {"vcpus": 4}, JSON).status_code == 202
    said = as_operator.patch(one, {"tags": ["shop/test", "more"]}, JSON)
    assert said.status_code == 200, said.content
    page = as_operator.get("/guests/?folder=shop/test").content.decode()
    assert "2 of 1 guests" in page
    assert "1 too many" in page


def test_a_user_is_told_of_a_full_folder_without_what_others_use(
    limit: Callable[..., FolderLimit], tagged: Tagged, user: User, as_user: Client
) -> None:
    limit("shop", guests=7)
    for number in range(7):
        tagged(f"other-{number}", "shop")
    mine = tagged("mine", owner=user)
    for answer in (
        as_user.patch(f"{API}{mine.pk}/", {"tags": ["shop"]}, JSON),
        as_user.post(f"{FOLDERS}move/", {"guests": [str(mine.pk)], "to": "shop"}, JSON),
    ):
        assert answer.status_code == 409
        said = answer.json()["detail"]
        assert said == "The limit of the folder shop is reached."


def test_bars_stand_over_the_list_of_a_folder_and_of_all_in_it(
    limit: Callable[..., FolderLimit],
    tagged: Tagged,
    as_operator: Client,
    django_assert_max_num_queries: Callable[[int], Any],
) -> None:
    limit("shop", guests=4, memory_bytes=10 * GIB)
    limit("shop/prod", vcpus=8)
    limit("lab", guests=1)
    tagged("web", "shop/prod")
    with django_assert_max_num_queries(17):
        page = as_operator.get("/guests/?folder=shop/prod").content.decode()
    for words in ("1 of 4 guests", "1 GiB of 10 GiB of memory", "2 of 8 vCPUs"):
        assert words in page
    assert "1 of 1 guests" not in page
    assert "1 of 4 guests" not in as_operator.get("/guests/").content.decode()


def test_limits_are_set_on_their_page(as_admin: Client, as_operator: Client) -> None:
    page = "/guests/folders/limit/"
    assert as_admin.get(f"{page}?folder=shop").status_code == 200
    wrong = as_admin.post(page, {"path": "a b", "guests": "3"})
    assert (wrong.status_code, b"is no folder" in wrong.content) == (422, True)
    wrong = as_admin.post(page, {"path": "shop", "memory_bytes": "much"})
    assert b"is no size" in wrong.content
    done = as_admin.post(page, {"path": "Shop/Prod", "memory_bytes": "1.5 GiB"})
    assert done.status_code == 302
    row = FolderLimit.objects.get()
    assert (row.path, row.memory_bytes) == ("shop/prod", 3 * GIB // 2)
    listed = as_operator.get("/guests/folders/").content.decode()
    assert "0 B of 1.5 GiB of memory" in listed
    one = f"/guests/folders/{row.pk}/"
    assert b'value="1.5 GiB"' in as_admin.get(one).content
    assert as_admin.post(one, {"guests": "3"}).status_code == 302
    row.refresh_from_db()
    assert (row.guests, row.memory_bytes) == (3, None)
    assert as_operator.post(f"{one}remove/").status_code == 403
    assert as_admin.post(f"{one}remove/").status_code == 302
    assert not FolderLimit.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_fifty_new_guests_at_once_are_ten(
    limit: Callable[..., FolderLimit],
    kvm1: Host,
    admin_token: str,
    by_token: Callable[[str], Client],
) -> None:
    limit("shop", guests=10)

    def ask(number: int) -> int:
        try:
            told = make(by_token(admin_token), f"web-{number}", "shop/prod", vcpus=1)
            return int(told.status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as crowd:
        answers = list(crowd.map(ask, range(50)))
    assert sorted(set(answers)) == [202, 409]
    assert answers.count(202) == 10
    assert Operation.objects.filter(kind="guest.create").count() == 10


@pytest.mark.django_db(transaction=True)
def test_fifty_guests_tagged_at_once_are_ten(
    limit: Callable[..., FolderLimit],
    tagged: Tagged,
    admin_token: str,
    by_token: Callable[[str], Client],
) -> None:
    limit("shop", vcpus=20)
    guests = [tagged(f"web-{number}") for number in range(50)]

    def ask(guest: Guest) -> int:
        try:
            client = by_token(admin_token)
            told = client.patch(f"{API}{guest.pk}/", {"tags": ["shop/prod"]}, JSON)
            return int(told.status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as crowd:
        answers = list(crowd.map(ask, guests))
    assert answers.count(200) == 10
    assert answers.count(409) == 40
    assert Guest.objects.filter(tag_words__contains="shop").count() == 10
