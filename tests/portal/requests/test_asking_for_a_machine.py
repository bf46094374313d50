"""POST requests/: what is charged, what is refused and why, and what can be taken back."""

from collections.abc import Callable
from typing import Any

import pytest

from guests.images.models import Image
from guests.models import Guest
from hosts.models import Host, Network
from kvmweb.accounts.models import Member, Project, User
from kvmweb.operations.models import Operation
from portal.flavors.models import Flavor
from portal.ledger.models import Charge
from portal.projects.models import ProjectScope
from portal.requests.models import Request
from portal.telling.models import Notice
from tests.portal.requests.conftest import GIB, KEY, Api

pytestmark = pytest.mark.usefixtures("kvm1", "small", "large")
Apis = Callable[[User], Api]


def _charged() -> list[tuple[str, str, int, int]]:
    rows = Charge.objects.order_by("pk")
    return list(rows.values_list("subject", "state", "vcpus", "memory_bytes"))


def test_it_waits_and_its_quota_is_charged(
    api: Apis, mia: User, otto: User, image: Image
) -> None:
    answer = api(mia).ask(image="debian", network="default")
    assert answer.status_code == 201, answer.content
    told = answer.json()
    assert told["state"] == "pending"
    assert (told["guest"], told["operation"], told["decided_by"]) == (None, None, None)
    assert told["decision_note"] == ""
    assert (told["vcpus"], told["memory_bytes"]) == (1, GIB)
    assert (told["image"], told["network"]) == (image.pk, "default")
    assert _charged() == [(f"request:{told['id']}", "reserved", 1, GIB)]
    assert not Operation.objects.exists()
    assert Notice.objects.get(user=otto).event == "request.asked"
    whole = api(mia).get(f"{told['id']}/").json()
    assert [(it["what"], it["who"]) for it in whole["events"]] == [("asked", "mia")]


def test_names_and_ids_say_the_same(
    api: Apis, mia: User, web: Project, small: Flavor, image: Image, kvm1: Host
) -> None:
    network = Network.objects.get(host=kvm1)
    by_id = api(mia).ask(
        project=web.pk, flavor=small.pk, image=image.pk, network=network.pk
    )
    assert by_id.status_code == 201, by_id.content
    by_name = api(mia).ask(name="two", image="debian 12")
    assert by_name.status_code == 201, by_name.content
    same = ("project", "flavor", "image", "network")
    assert [by_id.json()[it] for it in same] == [by_name.json()[it] for it in same]


def test_too_much_is_refused_with_what_is_used_and_left(api: Apis, mia: User) -> None:
    assert api(mia).ask(name="a", flavor="large").status_code == 201
    answer = api(mia).ask(name="b")
    assert answer.status_code == 409
    detail = answer.json()["detail"]
    assert "memory: 1 GiB wanted, 8 GiB of 8 GiB taken, 0 B left" in detail
    assert Request.objects.count() == 1
    assert len(_charged()) == 1


@pytest.mark.parametrize(
    ("wrong", "part"),
    [
        ({"name": "-rf"}, "name"),
        ({"name": "Web"}, "name"),
        ({"flavor": "huge"}, "flavor"),
        ({"flavor": 99999}, "flavor"),
        ({"image": "nothing"}, "image"),
        ({"network": "nowhere"}, "network"),
        ({"lease_days": 0}, "lease_days"),
        ({"lease_days": 99999}, "lease_days"),
        ({"reason": "x" * 2001}, "reason"),
        ({"cloud_init": {"user": "Root!"}}, "cloud_init.user"),
        ({"cloud_init": {"ssh_keys": ["no key"]}}, "cloud_init.ssh_keys"),
        ({"cloud_init": {"user_data": "no yaml: ["}}, "cloud_init.user_data"),
        ({"host": "kvm1"}, "host"),
    ],
)
def test_what_cannot_be_is_refused_at_its_part(
    api: Apis, mia: User, wrong: dict[str, Any], part: str
) -> None:
    answer = api(mia).ask(**wrong)
    assert answer.status_code == 422, answer.content
    assert part in answer.json()["errors"]
    assert not Charge.objects.exists()


def test_an_image_needs_a_disk_it_fits_on(api: Apis, mia: User, image: Image) -> None:
    Image.objects.update(virtual_size_bytes=20 * GIB)
    answer = api(mia).ask(image="debian")
    assert answer.status_code == 422
    assert "20 GiB" in answer.json()["errors"]["flavor"][0]


def test_what_the_project_may_not_use_is_not_there(
    api: Apis, mia: User, web: Project, large: Flavor, image: Image
) -> None:
    ProjectScope.objects.create(
        project=web, flavors=[large.pk], images=[image.pk + 1], networks=["dmz"]
    )
    answer = api(mia).ask(image="debian", network="default")
    assert set(answer.json()["errors"]) == {"flavor", "image", "network"}


def test_a_name_is_asked_for_once_in_a_project(
    api: Apis, mia: User, web: Project, other: Project, kvm1: Host
) -> None:
    Guest.objects.create(
        uuid="0b5a7c7e-4b6c-4c8e-9a53-0c6d6f1d2a11",
        name="old",
        project=web,
        host=kvm1,
        state="shutoff",
    )
    assert api(mia).ask(name="old").status_code == 409
    assert api(mia).ask().status_code == 201
    assert api(mia).ask().status_code == 409
    Member.objects.create(project=other, user=mia, role="operator")
    assert api(mia).ask(project="other").status_code == 201


def test_who_only_looks_on_asks_for_nothing(
    api: Apis, person: Callable[..., User], web: Project
) -> None:
    answer = api(person("vic", web, "viewer")).ask()
    assert answer.status_code == 403


def test_secrets_are_kept_sealed_and_never_told(api: Apis, mia: User) -> None:
    cloud = {"user": "mia", "password": "a secret word", "ssh_keys": [KEY]}
    answer = api(mia).ask(cloud_init=cloud)
    assert answer.status_code == 201, answer.content
    assert "secret" not in answer.content.decode()
    assert answer.json()["login"] == "mia"
    row = Request.objects.get()
    assert row.sealed
    assert "secret word" not in row.sealed


def test_it_is_changed_while_it_waits(api: Apis, mia: User) -> None:
    pk = api(mia).ask().json()["id"]
    answer = api(mia).patch(f"{pk}/", flavor="large", lease_days=7)
    assert answer.status_code == 200, answer.content
    assert (answer.json()["vcpus"], answer.json()["lease_days"]) == (4, 7)
    assert answer.json()["reason"] == "To try something."
    assert _charged() == [(f"request:{pk}", "reserved", 4, 8 * GIB)]
    Charge.objects.create(
        project=Request.objects.get().project,
        subject="guest:x",
        label="x",
        state="used",
        memory_bytes=8 * GIB,
    )
    api(mia).patch(f"{pk}/", flavor="small")
    assert api(mia).patch(f"{pk}/", flavor="large").status_code == 409
    assert Request.objects.get().vcpus == 1


def test_it_is_taken_back_and_its_quota_is_free(api: Apis, mia: User) -> None:
    pk = api(mia).ask().json()["id"]
    answer = api(mia).post(f"{pk}/cancel/")
    assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    assert not Charge.objects.exists()
    for path in ("cancel/", "approve/", "retry/"):
        assert api(mia).post(f"{pk}/{path}").status_code in (403, 409)
    assert api(mia).patch(f"{pk}/", lease_days=5).status_code == 409
    assert api(mia).ask().status_code == 201


def test_the_same_key_asks_once(api: Apis, mia: User) -> None:
    client = api(mia).client
    body = {
        "project": "web",
        "name": "app",
        "flavor": "small",
        "reason": "",
        "lease_days": 3,
    }
    answers = [
        client.post(
            "/api/v1/requests/",
            body,
            content_type="application/json",
            headers={"Idempotency-Key": "k1"},
        )
        for _ in range(2)
    ]
    assert answers[0].json() == answers[1].json()
    assert Request.objects.count() == 1
