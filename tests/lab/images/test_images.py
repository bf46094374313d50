"""Images on real hosts: judged, converted, copied once and whole, deleted."""

import hashlib
import subprocess
from pathlib import Path
from uuid import uuid4

import pytest

from deploy.lab import Lab
from guests.images import copying, services
from guests.images.models import Image, ImageCopy
from guests.images.services import About
from hosts.models import Pool, Volume
from hosts.storage.models import Holding
from kvmweb.accounts.models import User
from kvmweb.errors import AppError, Conflict, HostError
from tests.lab import seeing
from tests.lab.images.conftest import IMAGES, Place, over, run_of

pytestmark = [
    pytest.mark.lab,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("no_warm_children"),
]


def registered(volume: Volume, by: User, name: str = "Small") -> Image:
    """A ready image of this volume."""
    operation = services.add(About(name), volume, by=by)
    done = seeing.performed(operation)
    assert done.state == "succeeded", done.message
    return Image.objects.get(pk=done.result["image"])


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_it_is_copied_whole_and_known_by_its_checksum(
    places: list[Place], admin: User
) -> None:
    here, there = places
    image = registered(here.make("small.qcow2", "-f", "qcow2"), admin)
    assert image.sha256 == sha256(here.file("small.qcow2"))
    assert (image.virtual_size_bytes, image.format) == (8 << 20, "qcow2")
    run = run_of()
    facts = copying.ensure(run, image, there.host, there.pool)
    assert sha256(there.file(facts.path)) == image.sha256
    again = copying.ensure(run, image, there.host, there.pool)
    assert again.path == facts.path
    assert ImageCopy.objects.filter(state="ready").count() == 2
    assert not Holding.objects.filter(state="building").exists()


def test_beside_a_pool_of_devices_it_lies_in_one_of_files(
    places: list[Place], admin: User
) -> None:
    here, there = places
    image = registered(here.make("beside.qcow2", "-f", "qcow2"), admin)
    group = Pool.objects.create(
        host=there.host,
        uuid=uuid4(),
        name="group",
        type="logical",
        active=True,
        autostart=True,
        persistent=True,
    )
    facts = copying.ensure(run_of(), image, there.host, group)
    copy = ImageCopy.objects.get(host=there.host)
    assert copy.pool is not None
    assert copy.pool.type == "dir"
    assert facts.path == copy.path
    Pool.objects.filter(host=there.host, type="dir").update(active=False)
    copy.delete()
    with pytest.raises(Conflict, match="no active pool of files"):
        copying.ensure(run_of(), image, there.host, group)


def test_who_deletes_a_copy_behind_our_back_costs_another_copy(
    places: list[Place], admin: User
) -> None:
    here, there = places
    image = registered(here.make("lost.qcow2", "-f", "qcow2"), admin)
    facts = copying.ensure(run_of(), image, there.host, there.pool)
    there.lab.virsh("vol-delete", facts.path)
    again = copying.ensure(run_of(), image, there.host, there.pool)
    assert sha256(there.file(again.path)) == image.sha256


def test_what_a_dead_worker_left_half_copied_is_never_used(
    places: list[Place], admin: User
) -> None:
    here, there = places
    image = registered(here.make("half.qcow2", "-f", "qcow2"), admin)
    dead = run_of()
    over(dead, "failed")
    path = f"{IMAGES}/{copying.name_of(image)}"
    Holding.objects.create(
        host=there.host, path=path, state="building", operation=dead.operation.pk
    )
    ImageCopy.objects.create(
        image=image,
        host=there.host,
        pool=there.pool,
        path=path,
        state="building",
        operation=dead.operation.pk,
    )
    there.file(path).write_bytes(here.file("half.qcow2").read_bytes()[:70000])
    facts = copying.ensure(run_of(), image, there.host, there.pool)
    assert sha256(there.file(facts.path)) == image.sha256
    assert not Holding.objects.filter(state="building").exists()


def test_a_source_that_was_changed_is_not_spread(
    places: list[Place], admin: User
) -> None:
    here, there = places
    image = registered(here.make("changed.img", "-f", "raw"), admin)
    with here.file("changed.img").open("r+b") as file:
        file.write(b"other")
    with pytest.raises(HostError, match="not the image Small any more"):
        copying.ensure(run_of(), image, there.host, there.pool)
    assert not there.file(copying.name_of(image)).exists()
    assert not ImageCopy.objects.filter(host=there.host).exists()


def test_a_stranger_of_its_name_is_left_alone(places: list[Place], admin: User) -> None:
    here, there = places
    image = registered(here.make("own.qcow2", "-f", "qcow2"), admin)
    stranger = there.file(copying.name_of(image))
    stranger.write_bytes(b"somebody else's" * 100)
    with pytest.raises(Conflict, match="is not the image"):
        copying.ensure(run_of(), image, there.host, there.pool)
    assert stranger.read_bytes() == b"somebody else's" * 100
    assert (
        not Holding.objects.exists()
        or not Holding.objects.filter(state="building").exists()
    )


def test_storage_that_hosts_share_needs_no_second_copy(
    places: list[Place], lab: Lab, admin: User
) -> None:
    here, there = places
    shared = [Pool.objects.get(host=it.host, name="shared") for it in places]
    image = registered(here.make("shared.qcow2", "-f", "qcow2"), admin)
    ImageCopy.objects.update(ours=False)
    ImageCopy.objects.filter(host=here.host).delete()
    first = run_of()
    with pytest.raises(Conflict, match="No host that answers"):
        copying.ensure(first, image, there.host, shared[1])
    path = lab.shared / copying.name_of(image)
    path.write_bytes(here.file("shared.qcow2").read_bytes())
    born = path.stat().st_ino
    for place, pool in zip(places, shared, strict=True):
        facts = copying.ensure(run_of(), image, place.host, pool)
        assert facts.path == str(path)
    assert path.stat().st_ino == born
    path.unlink()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-f", "qcow2", "-b", "/etc/passwd", "-F", "raw"), "backing file"),
        (("-f", "qcow2", "-o", "data_file=data.raw"), "in another file"),
        (("-f", "vmdk", "-o", "subformat=monolithicFlat"), "vmdk image"),
    ],
)
def test_what_needs_another_file_is_no_image(
    places: list[Place], admin: User, words: tuple[str, ...], said: str
) -> None:
    here = places[0]
    volume = here.make("evil.img", *words)
    try:
        done = seeing.performed(services.add(About("Evil"), volume, by=admin))
        assert (done.state, said in done.message) == ("failed", True), done.message
        assert "root:" not in done.message
    except AppError as error:
        assert "format" in str(error)  # noqa: PT017 - refused before anything began
        return
    image = Image.objects.get()
    assert (image.state, said in image.problem) == ("failed", True)
    assert not image.copies.exists()
    assert here.file("evil.img").exists()


def test_a_vmdk_is_converted_by_its_host(places: list[Place], admin: User) -> None:
    here = places[0]
    raw = here.file("plain.img")
    raw.write_bytes(b"kvmweb" * 1000 + bytes(1 << 20))
    convert = ["qemu-img", "convert", "-f", "raw", "-O", "vmdk"]
    subprocess.run(
        [*convert, "-o", "subformat=streamOptimized", raw, here.file("app.vmdk")],
        check=True,
    )
    image = registered(here.volume("app.vmdk"), admin)
    assert image.format == "qcow2"
    (copy,) = image.copies.all()
    assert copy.ours
    back = here.file("back.img")
    convert = ["qemu-img", "convert", "-f", "qcow2", "-O", "raw"]
    subprocess.run([*convert, here.file(copy.path), back], check=True)
    assert back.read_bytes()[:6000] == b"kvmweb" * 1000
    assert here.file("app.vmdk").exists()


def test_copies_are_deleted_only_when_nothing_stands_on_them(
    places: list[Place], admin: User
) -> None:
    here, there = places
    image = registered(here.make("base.qcow2", "-f", "qcow2"), admin)
    run = run_of()
    facts = copying.ensure(run, image, there.host, there.pool)
    over(run)
    seeing.look(there.host)
    overlay = ("-f", "qcow2", "-b", facts.path.rpartition("/")[2], "-F", "qcow2")
    operation = services.delete(image, copies=True, by=admin)
    there.make("above.qcow2", *overlay)  # behind our back, between asking and doing
    assert operation is not None
    done = seeing.performed(operation)
    assert done.state == "failed"
    assert "above.qcow2" in done.message
    image.refresh_from_db()
    assert image.state == "ready"
    there.lab.virsh("vol-delete", f"{IMAGES}/above.qcow2")
    seeing.look(there.host)
    operation = services.delete(image, copies=True, by=admin)
    assert operation is not None
    done = seeing.performed(operation)
    assert done.state == "succeeded", done.message
    assert not there.file(facts.path).exists()
    assert here.file("base.qcow2").exists()  # it was there before
    assert not Image.objects.exists()
