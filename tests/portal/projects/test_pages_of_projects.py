"""Pages of projects: cards with quotas, members, forms, and the way to end one."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from django.test import Client

from guests.models import Guest
from hosts.models import Host
from kvmweb.accounts.models import Member, Project, User
from portal.flavors.models import Flavor
from portal.ledger import services as ledger
from portal.ledger.models import Quota
from portal.projects import scopes
from tests.portal.projects.conftest import GIB, taken


def _text(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def test_who_is_in_no_project_is_told_how_to_get_into_one(as_user: Client) -> None:
    page = _text(as_user.get("/projects/"))
    assert "You are in no project yet" in page
    assert "your user name, uwe" in page
    assert "/projects/new/" not in page


def test_an_admin_without_projects_is_offered_to_make_one(as_admin: Client) -> None:
    page = _text(as_admin.get("/projects/"))
    assert "No projects yet" in page
    assert "/projects/new/" in page


def test_the_cards_show_the_quota_and_listen_to_it(
    as_viewer: Client, shop: Project
) -> None:
    taken(shop, "web", used=True)
    taken(shop, "db")
    page = _text(as_viewer.get("/projects/"))
    assert "<strong>1</strong> used, 1 reserved" in page
    assert "8 left of 10" in page
    topics = page.partition('data-topics="')[2].partition('"')[0]
    assert f"project:{shop.pk}" in topics.split()


def test_the_page_of_one_shows_guests_requests_and_people(
    as_viewer: Client, shop: Project, owner: User
) -> None:
    host = Host.objects.create(name="secret-host", transport="test")
    uuid = uuid4()
    Guest.objects.create(
        uuid=uuid, name="web", state="running", host=host, project=shop, owner=owner
    )
    taken(shop, "web", uuid, used=True)
    page = _text(as_viewer.get(f"/projects/{shop.pk}/"))
    assert f"/guests/{uuid}/" in page
    assert "olaf" in page
    assert "secret-host" not in page
    for hidden in ("/edit/", "/delete/", "members/"):
        assert f"/projects/{shop.pk}/{hidden}" not in page
    assert "/requests/new/" not in page  # a viewer asks for nothing


def test_an_operator_of_it_is_offered_to_ask(
    shop: Project, person: Callable[..., User], browser_of: Callable[[User], Client]
) -> None:
    page = _text(browser_of(person("otto", shop)).get(f"/projects/{shop.pk}/"))
    assert f"/requests/new/?project={shop.pk}" in page


def test_an_admin_makes_one_by_the_form_as_it_is_typed(
    redis_server: str, as_admin: Client, small: Flavor
) -> None:
    typed = {
        "name": "shop",
        "note": "Sells.",
        "guests": "4",
        "memory": "16 GiB",
        "guest_disk": "500g",
        "flavors": [str(small.pk)],
    }
    answer = as_admin.post("/projects/new/", typed)
    project = Project.objects.get()
    assert answer["Location"] == f"/projects/{project.pk}/"
    quota = Quota.objects.get()
    assert (quota.guests, quota.vcpus, quota.memory_bytes) == (4, None, 16 * GIB)
    assert quota.guest_disk_bytes == 500 * GIB
    assert scopes.of(project.pk).flavors == {small.pk}
    page = _text(as_admin.get(f"/projects/{project.pk}/edit/"))
    for value in ('value="4"', 'value="16 GiB"', 'value="500 GiB"', " selected>small"):
        assert value in page
    as_admin.post(
        f"/projects/{project.pk}/edit/", typed | {"guests": "", "flavors": []}
    )
    assert Quota.objects.get().guests is None
    assert scopes.of(project.pk).flavors == frozenset()


def test_what_is_typed_wrong_stays_with_a_sentence(
    redis_server: str, as_admin: Client, shop: Project
) -> None:
    wrong = {"name": "Not A Name", "memory": "much"}
    answer = as_admin.post("/projects/new/", wrong)
    assert answer.status_code == 422
    assert 'value="much"' in _text(answer)
    answer = as_admin.post("/projects/new/", {"name": "shop"})
    assert "There is a project shop already." in _text(answer)


def test_an_owner_lets_somebody_in_on_the_page(
    as_owner: Client, shop: Project, user: User
) -> None:
    path = f"/projects/{shop.pk}/members/"
    assert as_owner.post(path, {"user": "uwe", "role": "viewer"}).status_code == 302
    assert Member.objects.get(user=user).role == "viewer"
    refused = as_owner.post(path, {"user": "nobody", "role": "viewer"})
    assert refused.status_code == 422
    assert "no active user" in _text(refused)
    as_owner.post(f"{path}uwe/remove/")
    assert not Member.objects.filter(user=user).exists()


def test_who_leaves_a_project_is_led_to_the_others(
    as_owner: Client, shop: Project, person: Callable[..., User]
) -> None:
    person("mia", shop, "owner")
    answer = as_owner.post(f"/projects/{shop.pk}/members/olaf/remove/")
    assert answer["Location"] == "/projects/"
    assert as_owner.get(f"/projects/{shop.pk}/").status_code == 404


def test_ending_one_asks_for_its_name_and_says_what_is_in_the_way(
    as_admin: Client, shop: Project
) -> None:
    path = f"/projects/{shop.pk}/delete/"
    assert as_admin.post(path, {"name": "lab"}).status_code == 422
    subject = taken(shop, "web")
    assert "the guest web" in _text(as_admin.post(path, {"name": "shop"}))
    ledger.release(subject)
    assert as_admin.post(path, {"name": "shop"})["Location"] == "/projects/"
    assert not Project.objects.exists()


def test_the_pages_cost_the_same_however_much_there_is(
    as_viewer: Client,
    shop: Project,
    viewer: User,
    django_assert_max_num_queries: Callable[[int], Any],
) -> None:
    for number in range(30):
        other = Project.objects.create(name=f"p{number}")
        Member.objects.create(project=other, user=viewer)
        taken(shop if number < 10 else other, f"g{number}")
    with django_assert_max_num_queries(12):
        as_viewer.get("/projects/")
    with django_assert_max_num_queries(14):
        as_viewer.get(f"/projects/{shop.pk}/")


def test_an_admin_gives_it_a_guest_that_is_there(
    as_admin: Client, as_viewer: Client, as_owner: Client, shop: Project
) -> None:
    host = Host.objects.create(name="h1", transport="test", state="up")
    about = {"state": "shutoff", "host": host, "vcpus": 2, "memory_bytes": GIB}
    guest = Guest.objects.create(uuid=uuid4(), name="old", **about)
    path = f"/projects/{shop.pk}/guests/"
    assert f'value="{guest.pk}"' in _text(as_admin.get(f"/projects/{shop.pk}/"))
    assert "Give it a guest" not in _text(as_owner.get(f"/projects/{shop.pk}/"))
    assert as_owner.post(path, {"guest": str(guest.pk)}).status_code == 403
    assert as_admin.post(path, {"guest": str(uuid4())}).status_code == 422
    assert as_admin.post(path, {"guest": str(guest.pk)}).status_code == 302
    page = _text(as_viewer.get(f"/projects/{shop.pk}/"))
    assert f"/guests/{guest.pk}/" in page
    assert "9 left of 10" in page


def test_one_that_has_no_room_takes_no_guest(as_admin: Client, shop: Project) -> None:
    host = Host.objects.create(name="h1", transport="test", state="up")
    about = {"state": "shutoff", "host": host, "vcpus": 21, "memory_bytes": GIB}
    guest = Guest.objects.create(uuid=uuid4(), name="huge", **about)
    path = f"/projects/{shop.pk}/guests/"
    answer = as_admin.post(path, {"guest": str(guest.pk)})
    assert answer.status_code == 422
    assert "vCPUs: 21 wanted" in _text(answer)
    guest.refresh_from_db()
    assert guest.project is None


def test_the_form_of_a_guest_moves_it_into_a_project_and_out(
    as_admin: Client, as_viewer: Client, shop: Project
) -> None:
    host = Host.objects.create(name="h1", transport="test", state="up")
    guest = Guest.objects.create(uuid=uuid4(), name="old", state="shutoff", host=host)
    path = f"/guests/{guest.pk}/edit/"
    assert as_admin.post(path, {"project": "shop"}).status_code == 302
    assert as_viewer.get(f"/guests/{guest.pk}/").status_code == 200
    assert 'name="project"' not in _text(as_viewer.get(path))
    assert as_admin.post(path, {"project": ""}).status_code == 302
    assert as_viewer.get(f"/guests/{guest.pk}/").status_code == 404
