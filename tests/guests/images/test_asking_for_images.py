"""What people ask of images is written down, or refused with a sentence."""

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from guests.images import services
from guests.images.models import Image, ImageCopy
from guests.models import Guest
from hosts.models import Host, Pool, Volume
from hosts.storage.models import Holding
from kvmweb.accounts.models import AuditEntry
from kvmweb.operations.models import Operation
from tests.guests.images.conftest import image_of, volume_in

pytestmark = pytest.mark.usefixtures("redis_server")


def post(client: Client, path: str, body: object = None) -> Any:
    """POST JSON to the API of images."""
    return client.post(f"/api/v1/images/{path}", body, content_type="application/json")


def said_of(volume: Volume, **about: Any) -> dict[str, Any]:
    """A request for an image of this volume."""
    return {"name": "Debian", "source": {"volume": volume.pk}} | about


def uploading(pool: Pool, **about: Any) -> dict[str, Any]:
    """A request for an image whose content will be sent."""
    upload = {"pool": pool.pk, "format": "qcow2"} | about
    return {"name": "Debian", "source": {"upload": upload}}


def test_a_volume_becomes_an_image(as_operator: Client, volume: Volume) -> None:
    about = {"version": "12", "os": "debian12", "cloud_init": True}
    said = post(as_operator, "", said_of(volume, **about))
    assert said.status_code == 202, said.json()
    operation = Operation.objects.get()
    assert said["Location"] == f"/api/v1/operations/{operation.pk}/"
    image = Image.objects.get()
    assert said.json()["result"]["image"] == image.pk
    assert (operation.kind, operation.host) == ("image.register", volume.pool.host_id)
    told = as_operator.get(f"/api/v1/images/{image.pk}/").json()
    assert told["state"] == "building"
    assert told["os"] == "http://debian.org/debian/12"
    assert told["copies"] == [
        {
            "host": volume.pool.host_id,
            "host_name": "kvm1",
            "pool": volume.pool_id,
            "pool_name": "default",
            "path": volume.path,
            "state": "building",
        }
    ]
    assert AuditEntry.objects.get().action == "image.register"


def test_nobody_takes_the_volume_while_it_is_read(
    as_admin: Client, volume: Volume
) -> None:
    post(as_admin, "", said_of(volume))
    again = post(as_admin, "", said_of(volume, name="Other"))
    assert again.status_code == 409
    assert "the image Debian" in again.json()["detail"]
    deleted = as_admin.delete(f"/api/v1/volumes/{volume.pk}/")
    assert deleted.status_code == 409


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"version": "../x"}, "version"),
        ({"os": "plan 9"}, "os"),
        ({"min_disk_bytes": -1}, "min_disk_bytes"),
        ({"source": {}}, "source"),
        ({"source": {"volume": 1, "upload": {"pool": 1, "format": "raw"}}}, "source"),
    ],
)
def test_what_cannot_be_an_image_is_said_at_its_field(
    as_admin: Client, volume: Volume, change: dict[str, Any], field: str
) -> None:
    said = post(as_admin, "", said_of(volume) | change)
    assert said.status_code == 422
    assert field in said.json()["errors"]
    assert not Image.objects.exists()


def test_a_volume_that_a_guest_uses_stays_its_disk(
    as_admin: Client, volume: Volume
) -> None:
    Guest.objects.create(
        uuid=uuid4(),
        name="web",
        state="shutoff",
        host=volume.pool.host,
        uses=[volume.path],
    )
    said = post(as_admin, "", said_of(volume))
    assert said.status_code == 409
    assert "web" in said.json()["detail"]


def test_a_half_made_volume_a_cd_and_a_dead_host_are_refused(
    as_admin: Client, pool: Pool, volume: Volume
) -> None:
    cd = volume_in(pool, "setup.iso", format="iso")
    said = post(as_admin, "", said_of(cd))
    assert (said.status_code, said.json()["hint"][:4]) == (422, "A CD")
    Holding.objects.create(host=pool.host, path=volume.path, state="building")
    assert post(as_admin, "", said_of(volume)).status_code == 409
    Holding.objects.all().delete()
    Host.objects.update(state=Host.State.DOWN)
    assert post(as_admin, "", said_of(volume)).status_code == 409
    assert not Image.objects.exists()


def test_two_images_are_told_apart_by_their_version(
    as_admin: Client, pool: Pool, volume: Volume
) -> None:
    image_of(volume, version="12")
    other = volume_in(pool, "other.qcow2")
    said = post(as_admin, "", said_of(other, version="12"))
    assert said.status_code == 409
    assert "Debian 12" in said.json()["detail"]
    assert post(as_admin, "", said_of(other, version="13")).status_code == 202


def test_an_upload_waits_for_its_content(as_operator: Client, pool: Pool) -> None:
    said = post(as_operator, "", uploading(pool))
    assert said.status_code == 202, said.json()
    operation, image = Operation.objects.get(), Image.objects.get()
    assert operation.kind == "volume.create"
    assert operation.params["format"] == "qcow2"
    assert (image.state, said.json()["result"]["image"]) == ("awaiting", image.pk)
    early = post(as_operator, f"{image.pk}/register/")
    assert early.status_code == 409
    assert "not there yet" in early.json()["detail"]
    assert services.uploaded() == []


def test_what_was_uploaded_is_registered_by_itself(
    as_admin: Client, pool: Pool
) -> None:
    post(as_admin, "", uploading(pool, name="sent.qcow2"))
    volume = volume_in(pool, "sent.qcow2")
    Holding.objects.all().delete()  # what ends the making of the volume does
    Operation.objects.all().update(state="succeeded")
    assert post(as_admin, f"{Image.objects.get().pk}/register/").status_code == 409
    Operation.objects.create(
        kind="volume.upload",
        state="succeeded",
        host=pool.host_id,
        params={"path": volume.path},
    )
    (begun,) = services.uploaded()
    assert begun.kind == "image.register"
    assert Image.objects.get().state == "building"
    assert services.uploaded() == []


@pytest.mark.parametrize(
    ("upload", "word"),
    [
        ({"format": "ova"}, "tar xf"),
        ({"format": "iso"}, "qcow2"),
        ({"format": "raw"}, "bytes"),
        ({"name": "../x"}, "letter or digit"),
    ],
)
def test_an_upload_that_cannot_be_taken_says_how_it_could(
    as_admin: Client, pool: Pool, upload: dict[str, Any], word: str
) -> None:
    said = post(as_admin, "", uploading(pool, **upload))
    assert said.status_code == 422
    assert word in json.dumps(said.json())
    assert not Image.objects.exists()
    assert not Operation.objects.exists()


def test_words_are_changed_at_once(as_operator: Client, volume: Volume) -> None:
    image = image_of(volume)
    path = f"/api/v1/images/{image.pk}/"
    said = as_operator.patch(
        path, {"version": "12.1", "cloud_init": True}, content_type="application/json"
    )
    assert said.status_code == 200, said.json()
    assert (said.json()["name"], said.json()["version"]) == ("Debian", "12.1")
    assert said.json()["cloud_init"] is True
    assert AuditEntry.objects.get().details["fields"] == ["cloud_init", "version"]


def test_it_is_forgotten_and_its_copies_stay(as_admin: Client, volume: Volume) -> None:
    image = image_of(volume)
    assert as_admin.delete(f"/api/v1/images/{image.pk}/").status_code == 204
    assert not Image.objects.exists()
    assert not Operation.objects.exists()
    assert Volume.objects.filter(pk=volume.pk).exists()


def test_copies_go_unless_a_disk_stands_on_one(
    as_admin: Client, pool: Pool, volume: Volume
) -> None:
    image = image_of(volume)
    ImageCopy.objects.update(ours=True)
    path = f"/api/v1/images/{image.pk}/?copies=delete"
    above = volume_in(pool, "web.qcow2", backing_path=volume.path)
    said = as_admin.delete(path)
    assert said.status_code == 409
    assert "the volume web.qcow2" in said.json()["detail"]
    assert Image.objects.get().state == "ready"
    above.delete()
    assert as_admin.delete(path).status_code == 202
    assert Image.objects.get().state == "deleting"
    assert Operation.objects.get().kind == "image.delete"


def test_a_copy_cannot_be_deleted_as_a_volume(as_admin: Client, volume: Volume) -> None:
    image_of(volume)
    said = as_admin.delete(f"/api/v1/volumes/{volume.pk}/")
    assert said.status_code == 409
    assert "the image Debian" in said.json()["detail"]


def test_users_see_no_images(as_user: Client, volume: Volume) -> None:
    image = image_of(volume)
    assert as_user.get("/api/v1/images/").status_code == 403
    assert as_user.get(f"/api/v1/images/{image.pk}/").status_code == 403
    assert as_user.get("/images/").status_code == 403


def test_the_list_costs_the_same_however_long(
    as_admin: Client,
    pool_on: Callable[..., Pool],
    django_assert_max_num_queries: Any,
) -> None:
    for number in range(5):
        image_of(volume_in(pool_on(f"h{number}")), f"Image {number}")
    with django_assert_max_num_queries(6):
        few = as_admin.get("/images/")
    assert few.content.count(b'class="name"') == 5
    for number in range(5, 30):
        image_of(volume_in(pool_on(f"h{number}")), f"Image {number}")
    with django_assert_max_num_queries(6):
        many = as_admin.get("/images/")
    assert many.content.count(b'class="name"') == 30
    assert b"h29" in many.content


def test_pages_are_there_and_say_what_is_wrong(
    as_admin: Client, pool: Pool, volume: Volume
) -> None:
    assert b"No images yet" in as_admin.get("/images/").content
    assert b"kvm1, default" in as_admin.get("/images/upload/").content
    page = as_admin.get(f"/images/new/?volume={volume.pk}")
    assert b"base.qcow2 (kvm1, default)" in page.content
    wrong = as_admin.post("/images/new/", {"volume": volume.pk, "name": "a\tb"})
    assert wrong.status_code == 422
    good = {"volume": volume.pk, "name": "Debian", "cloud_init": "on"}
    assert as_admin.post("/images/new/", good).status_code == 302
    image = Image.objects.get()
    assert b"being made" in as_admin.get("/images/").content
    assert volume.path.encode() in as_admin.get(f"/images/{image.pk}/").content
    said = as_admin.post(f"/images/{image.pk}/edit/", {"name": "Debian 12"})
    assert said.status_code == 302
    busy = as_admin.post(f"/images/{image.pk}/delete/", {"copies": "keep"})
    assert (busy.status_code, b"is building" in busy.content) == (422, True)
