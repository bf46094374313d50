"""The page /guests/new/: what it offers, keeps, previews and asks for."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from guests.creation.plan import plan_of
from guests.images.models import Image, ImageCopy, Seed
from guests.models import Guest
from hosts.models import Host, HostDevice, Network, Pool, Volume
from kvmweb.operations.models import Operation
from tests.guests.creation.conftest import GIB, network_of, pool_of, volume_of

PAGE = "/guests/new/"
QUERIES = 13  # of the whole page, its session and person included


def form(**about: Any) -> dict[str, Any]:
    """A blank small guest, as a browser sends the form."""
    plain = {
        "source": "blank",
        "name": "web",
        "count": "1",
        "vcpus": "",
        "memory": "",
        "disk": "10 GiB",
        "network": "default",
        "start": "on",
        "balloon": "on",
        "rng": "on",
        "boot": "disk cdrom network",
        "screen": "vnc",
    }
    return plain | about


@pytest.fixture
def image(kvm1: Host) -> Image:
    """A Debian of the catalogue with a copy on the host."""
    made = Image.objects.create(
        name="Debian",
        version="12",
        os="http://debian.org/debian/12",
        cloud_init=True,
        state="ready",
        format="qcow2",
        sha256="a" * 64,
        virtual_size_bytes=2 * GIB,
    )
    ImageCopy.objects.create(
        image=made, host=kvm1, path="/default-pool/image.qcow2", state="ready"
    )
    return made


def test_it_begins_with_what_there_is(as_operator: Client, kvm1: Host) -> None:
    text = as_operator.get(PAGE).content.decode()
    assert "What do you want to run?" in text
    assert 'value="blank" id="id_source_3" required checked' in text
    for word in ("An image", "An ISO", "A disk that is there", "Empty", "Debian 12"):
        assert word in text
    assert "Devices and directories" not in text  # not an operator's to give


def test_an_image_of_the_catalogue_comes_first(as_admin: Client, image: Image) -> None:
    answer = as_admin.get(PAGE)
    assert answer.context["form"].initial["source"] == "image"
    assert "Debian 12 (Debian 12, cloud-init)" in answer.content.decode()


def test_a_link_may_choose(as_admin: Client, kvm1: Host) -> None:
    volume = volume_of(Pool.objects.get(host=kvm1), "data.qcow2")
    answer = as_admin.get(f"{PAGE}?volume={volume.pk}&host={kvm1.pk}&nonsense=1")
    text = answer.content.decode()
    assert f'<option value="{volume.pk}" selected>' in text
    assert answer.context["form"].initial["source"] == "volume"


def test_it_asks_for_the_guest_and_goes_to_the_operation(
    as_admin: Client, kvm1: Host, redis_server: str
) -> None:
    answer = as_admin.post(PAGE, form(memory="1.5 GiB", vcpus="3", tags="db, web"))
    operation = Operation.objects.get()
    assert answer.status_code == 302, answer.content
    assert answer["Location"] == reverse("operation", args=[operation.pk])
    blueprint = plan_of(operation.params["plan"]).blueprint
    assert (blueprint.vcpus, blueprint.memory_bytes) == (3, 3 * GIB // 2)
    assert blueprint.tags == ("db", "web")
    assert blueprint.nics[0].network == "default"


def test_what_is_left_empty_is_what_the_system_likes(
    as_admin: Client, home_of: Callable[..., Host], redis_server: str
) -> None:
    home_of("kvm", virt_types=["kvm"], arch="x86_64")
    told = form(os="http://microsoft.com/win/11", disk="")
    assert as_admin.post(PAGE, told).status_code == 302
    plan = plan_of(Operation.objects.get().params["plan"])
    assert plan.blueprint.memory_bytes == 4 * GIB
    assert plan.volumes[0].capacity_bytes == 64 * GIB
    assert (plan.blueprint.firmware, plan.blueprint.tpm) == ("uefi-secure", True)
    assert plan.blueprint.disks[0].bus == "sata"


def test_drivers_make_windows_virtio(
    as_admin: Client, home_of: Callable[..., Host], redis_server: str
) -> None:
    host = home_of("kvm", virt_types=["kvm"], arch="x86_64")
    pool = Pool.objects.get(host=host)
    setup, drivers = volume_of(pool, "win.iso"), volume_of(pool, "virtio-win.iso")
    told = form(
        source="iso",
        iso=setup.pk,
        drivers=drivers.pk,
        os="http://microsoft.com/win/2k22",
        disk="60",
    )
    assert as_admin.post(PAGE, told).status_code == 302
    blueprint = plan_of(Operation.objects.get().params["plan"]).blueprint
    assert [disk.bus for disk in blueprint.disks] == ["virtio", "sata", "sata"]
    assert [disk.path for disk in blueprint.disks[1:]] == [setup.path, drivers.path]
    assert blueprint.nics[0].model == "virtio"


def test_an_image_with_cloud_init_is_told_who_it_is(
    as_admin: Client, image: Image, redis_server: str
) -> None:
    told = form(
        source="image",
        image=image.pk,
        disk="",
        ci_user="uwe",
        ci_password="sehr geheim",
        ci_address="10.0.0.5/24",
        ci_gateway="10.0.0.1",
    )
    assert as_admin.post(PAGE, told).status_code == 302
    operation = Operation.objects.get()
    plan = plan_of(operation.params["plan"])
    assert plan.blueprint.os == "http://debian.org/debian/12"
    assert (plan.volumes[0].image, plan.volumes[0].capacity_bytes) == (
        image.pk,
        2 * GIB,
    )
    assert plan.seed_pool
    assert Seed.objects.get().guest == operation.guest
    assert "sehr geheim" not in str(operation.params)


def test_nothing_typed_is_lost_by_an_error(as_admin: Client, kvm1: Host) -> None:
    told = form(
        name="Not A Name", memory="a lot", disk="20 Gigs", description="Kept", cores="3"
    )
    answer = as_admin.post(PAGE, told)
    assert answer.status_code == 422
    text = answer.content.decode()
    for kept in ("Not A Name", "a lot", "20 Gigs", "Kept"):
        assert kept in text
    assert "is no size" in text
    assert not Operation.objects.exists()


def test_what_the_service_refuses_stands_at_its_field(
    as_admin: Client, kvm1: Host
) -> None:
    wrong = {
        "name": ("-web", "name"),
        "mac": ("nonsense", "mac"),
        "tags": ("no!tag", "tags"),
        "total_bytes_s": ("100 PiB", None),
        "sockets": ("3", "sockets"),
        "memory_max": ("1 MiB", "memory_max"),
        "ci_user": ("root", "ci_user"),
    }
    for field, (value, place) in wrong.items():
        source = {"source": "volume"} if field.startswith("ci_") else {}
        if source:
            volume = volume_of(Pool.objects.get(host=kvm1), "d.qcow2")
            source["volume"] = str(volume.pk)
        answer = as_admin.post(PAGE, form(**{field: value}, **source))
        assert answer.status_code == 422, field
        if place:
            assert place in answer.context["form"].errors, field
    assert not Operation.objects.exists()


def test_a_password_is_never_sent_back(as_admin: Client, image: Image) -> None:
    told = form(source="image", image=image.pk, name="", ci_password="sehr geheim")
    answer = as_admin.post(PAGE, told)
    assert answer.status_code == 422
    assert "sehr geheim" not in answer.content.decode()


def test_no_host_that_fits_is_said_with_its_reasons(
    as_admin: Client, kvm1: Host
) -> None:
    answer = as_admin.post(PAGE, form(memory="40 GiB"))
    assert answer.status_code == 422
    assert "It has 32 GiB of memory, 40 GiB are wanted." in answer.content.decode()


def test_a_preview_says_where_and_why_and_makes_nothing(
    as_admin: Client, as_operator: Client, kvm1: Host, kvm2: Host
) -> None:
    Host.objects.filter(pk=kvm2.pk).update(maintenance=True)
    for browser in (as_admin, as_operator):
        text = browser.post(PAGE, form(preview="1")).content.decode()
        assert "will be placed on <strong>kvm1</strong>" in text
        assert "It is in maintenance." in text
        assert "web.qcow2" in text
        assert "&lt;name&gt;web&lt;/name&gt;" in text
    many = as_admin.post(PAGE, form(preview="1", count="12", memory="16 MiB"))
    assert "web-01 … web-12" in many.content.decode()
    assert "and 6 more" in many.content.decode()
    assert not Operation.objects.exists()


def test_a_preview_of_too_little_says_what_is_missing(
    as_admin: Client, kvm1: Host
) -> None:
    answer = as_admin.post(PAGE, form(preview="1", name=""))
    assert answer.status_code == 200
    assert "Not yet:" in answer.content.decode()


def test_no_memory_is_refused_and_not_replaced(as_admin: Client, kvm1: Host) -> None:
    answer = as_admin.post(PAGE, form(memory="0"))
    assert answer.status_code == 422
    assert answer.context["form"].errors["memory"] == [
        "It needs some; empty: what its system likes."
    ]


def test_only_those_who_may_give_devices_are_offered_them(
    as_admin: Client, as_operator: Client, kvm1: Host
) -> None:
    HostDevice.objects.create(host=kvm1, name="usb_1", kind="usb", vendor="Stick")
    assert "Stick" in as_admin.get(PAGE).content.decode()
    assert "Stick" not in as_operator.get(PAGE).content.decode()


def test_users_do_not_get_in(as_user: Client) -> None:
    assert as_user.get(PAGE).status_code == 403
    assert "New guest" not in as_user.get("/guests/").content.decode()


def test_the_way_there_is_offered(as_operator: Client, kvm1: Host) -> None:
    for path in ("/guests/", "/"):
        assert 'href="/guests/new/"' in as_operator.get(path).content.decode()


def test_volumes_that_somebody_uses_are_not_offered(
    as_admin: Client, kvm1: Host
) -> None:
    pool = Pool.objects.get(host=kvm1)
    free, used = volume_of(pool, "free.qcow2"), volume_of(pool, "used.qcow2")
    below = volume_of(pool, "below.qcow2")
    volume_of(pool, "above.qcow2", backing_path=below.path)
    Guest.objects.create(
        uuid="0b5a7c7e-4b6c-4c8e-9a53-0c6d6f1d2a11",
        name="db",
        host=kvm1,
        state="running",
        uses=[used.path],
    )
    text = as_admin.get(PAGE).content.decode()
    assert f'value="{free.pk}"' in text
    assert "used.qcow2" not in text
    assert "below.qcow2" not in text


def test_it_costs_the_same_however_much_there_is(
    as_admin: Client,
    home_of: Callable[..., Host],
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    def more(count: int) -> None:
        for _ in range(count):
            host = home_of(f"kvm{Host.objects.count()}")
            pool = pool_of(host, "more")
            for number in range(5):
                network_of(host, f"net{number}-{host.pk}")
            Volume.objects.bulk_create(
                Volume(pool=pool, name=f"v{n}", key=f"v{n}", path=f"/more/v{n}")
                for n in range(20)
            )

    more(2)
    as_admin.get(PAGE)
    with django_assert_num_queries(QUERIES):
        as_admin.get(PAGE)
    more(6)
    with django_assert_num_queries(QUERIES):
        as_admin.get(PAGE)
    assert Network.objects.count() > 40
