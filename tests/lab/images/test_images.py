"""Images on real hosts: judged, converted, copied once and whole, deleted."""

import hashlib
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from deploy.lab import Lab
from deploy.lab_host import LabHost
from guests.images import copying, seeding, services, unseeding
from guests.images.models import Image, ImageCopy, Seed
from guests.images.seed import CloudInit
from guests.images.services import About
from guests.models import Guest
from hosts.models import Host, Pool, Volume
from hosts.storage import tidying
from hosts.storage.models import Holding
from kvmweb.accounts.models import User
from kvmweb.errors import AppError, Conflict, HostError
from kvmweb.operations.models import Operation
from kvmweb.operations.queue import Claim
from kvmweb.operations.run import Run
from tests.lab import seeing

pytestmark = [
    pytest.mark.lab,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("no_warm_children"),
]
IMAGES = "/var/lib/libvirt/images"
CLOUD = CloudInit("web", "ann", "a secret word")


@dataclass
class Place:
    """A host of the lab, its row and its default pool."""

    lab: LabHost
    host: Host

    @property
    def pool(self) -> Pool:
        return Pool.objects.get(host=self.host, name="default")

    def file(self, name: str) -> Path:
        """Where a volume of its pool lies, seen from here."""
        return Path(f"{self.lab.root}{IMAGES}", Path(name).name)

    def volume(self, name: str) -> Volume:
        """The row of a file that was put there behind our back."""
        self.lab.virsh("pool-refresh", "default")
        seeing.look(self.host)
        return Volume.objects.get(pool=self.pool, name=name)

    def make(self, name: str, *words: str, size: str = "8M") -> Volume:
        """A disk as qemu-img makes it."""
        asked = ["qemu-img", "create", "-q", *words, str(self.file(name)), size]
        subprocess.run(asked, check=True, cwd=self.file("x").parent)
        return self.volume(name)


@pytest.fixture
def places(lab: Lab, db: None) -> Iterator[list[Place]]:
    """Both hosts; whatever a test leaves in their pools goes, in the shared one too."""
    found = [
        Place(kvm, seeing.home_of(kvm, f"kvm{number}"))
        for number, kvm in enumerate(lab.hosts, start=1)
    ]
    for place in found:
        seeing.look(place.host)
    folders = [lab.shared, *(place.file("x").parent for place in found)]
    before = {path for folder in folders for path in folder.iterdir()}
    yield found
    for path in {path for folder in folders for path in folder.iterdir()} - before:
        path.unlink()
    for place in found:
        for pool in ("default", "shared"):
            place.lab.virsh("pool-refresh", pool)


def run_of() -> Run:
    """What the work of some operation holds in its hands."""
    operation = Operation.objects.create(
        kind="guest.create",
        guest_name="web",
        state="running",
        worker="here",
        attempts=1,
        lease_until=timezone.now() + timedelta(minutes=5),
    )
    return Run(Claim(operation, "here", 1, taken_over=False))


def over(run: Run, state: str = "succeeded") -> None:
    """Its operation has ended."""
    Operation.objects.filter(pk=run.operation.pk).update(state=state)


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


# Seeds.


@pytest.fixture
def guest_of(places: list[Place]) -> Iterator[Callable[..., tuple[Guest, Path]]]:
    """Makes a guest with a seed's CD on the first host, and says where that lies."""
    here = places[0]
    made: list[UUID] = []

    def make(name: str, bus: str = "scsi", **about: bool) -> tuple[Guest, Path]:
        uuid = here.lab.define_demo(name, network="", running=False, disk_mib=1)
        made.append(uuid)
        seeding.keep(uuid, name, CLOUD)
        run = run_of()
        path = seeding.write(run, uuid, here.pool)
        over(run)
        cd = ("--type", "cdrom", "--mode", "readonly", "--targetbus", bus)
        here.lab.virsh("attach-disk", str(uuid), path, "sdz", *cd, "--config")
        seeing.look(here.host)
        return Guest.objects.get(pk=uuid), here.file(path)

    yield make
    for uuid in made:
        if here.lab.virsh("domstate", str(uuid)) != "shut off":
            here.lab.virsh("destroy", str(uuid))
        here.lab.virsh("undefine", str(uuid), "--snapshots-metadata", "--managed-save")


def test_a_seed_is_written_once_and_leaves_no_words_behind(
    places: list[Place], db: None
) -> None:
    here, uuid = places[0], uuid4()
    seeding.keep(uuid, "web", CLOUD)
    assert "secret" not in Seed.objects.get().sealed
    run = run_of()
    path = seeding.write(run, uuid, here.pool)
    assert path == f"{IMAGES}/web-seed.iso"
    assert b"cidata" in here.file(path).read_bytes()
    assert Seed.objects.get().sealed == ""
    before = here.file(path).stat().st_mtime_ns
    assert seeding.write(run, uuid, here.pool) == path
    assert here.file(path).stat().st_mtime_ns == before
    other = uuid4()
    seeding.keep(other, "web", CLOUD)
    second = seeding.write(run, other, here.pool)
    assert second == f"{IMAGES}/web-{other.hex[:8]}-seed.iso"
    for each in (uuid, other):
        seeding.discard(run, each)
    assert not here.file(path).exists()
    assert not Seed.objects.exists()


@pytest.mark.parametrize("bus", ["scsi", "sata"])
def test_a_seed_goes_when_its_guest_was_off_once(
    places: list[Place], guest_of: Callable[..., tuple[Guest, Path]], bus: str
) -> None:
    here = places[0]
    guest, file = guest_of(f"seeded-{bus}", bus)
    assert unseeding.look() == []  # it has not run yet
    here.lab.virsh("start", str(guest.pk))
    seeing.look(here.host)
    assert unseeding.look() == []
    here.lab.virsh("destroy", str(guest.pk))
    seeing.look(here.host)
    (operation,) = unseeding.look()
    done = seeing.performed(operation)
    assert done.state == "succeeded", done.message
    assert not file.exists()
    assert file.name not in here.lab.virsh("dumpxml", str(guest.pk))
    assert not Seed.objects.exists()


def test_half_an_hour_is_enough_and_a_failed_try_is_not_the_last(
    places: list[Place],
    guest_of: Callable[..., tuple[Guest, Path]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = places[0]
    guest, file = guest_of("slow", "sata")
    here.lab.virsh("start", str(guest.pk))
    seeing.look(here.host)
    assert unseeding.look() == []
    long_ago = timezone.now() - unseeding.LONGEST_BOOT - timedelta(minutes=1)
    Seed.objects.update(ran_since=long_ago)
    monkeypatch.setattr(unseeding, "_delete", _refusing)
    (operation,) = unseeding.look()
    assert seeing.performed(operation).state == "failed"
    assert unseeding.look() == []  # not at once
    monkeypatch.undo()
    Seed.objects.update(next_try_at=timezone.now())
    (operation,) = unseeding.look()
    assert seeing.performed(operation).state == "succeeded"
    assert not file.exists()
    live = here.lab.virsh("dumpxml", str(guest.pk))
    defined = here.lab.virsh("dumpxml", str(guest.pk), "--inactive")
    for xml in (live, defined):
        assert file.name not in xml
        assert "device='cdrom'" in xml  # for the next one, also while it runs


def _refusing(*_about: object) -> None:
    raise HostError("The disk is on fire.")


def test_a_seed_that_a_snapshot_remembers_is_emptied(
    places: list[Place], guest_of: Callable[..., tuple[Guest, Path]]
) -> None:
    here = places[0]
    guest, file = guest_of("pictured")
    assert b"ann" in file.read_bytes()
    here.lab.virsh("snapshot-create-as", str(guest.pk), "then")
    Seed.objects.update(ran_since=timezone.now())
    (operation,) = unseeding.look()
    done = seeing.performed(operation)
    assert done.state == "succeeded", done.message
    assert not file.read_bytes().strip(b"\0")
    assert not Seed.objects.exists()


def test_a_seed_of_a_guest_that_never_came_goes(
    places: list[Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, uuid = places[0], uuid4()
    seeding.keep(uuid, "never", CLOUD)
    run = run_of()
    path = seeding.write(run, uuid, here.pool)
    over(run, "failed")
    assert unseeding.look() == []
    monkeypatch.setattr(unseeding, "ORPHANED", timedelta(0))
    (operation,) = unseeding.look()
    assert seeing.performed(operation).state == "succeeded"
    assert not here.file(path).exists()
    assert tidying.clear_unfinished() == 0
