"""Seeds on real hosts: written once, and gone with their words after the first boot."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from guests.images import seeding, unseeding
from guests.images.models import Seed
from guests.images.seed import CloudInit
from guests.models import Guest
from hosts.storage import tidying
from kvmweb.errors import HostError
from tests.lab import seeing
from tests.lab.images.conftest import IMAGES, Place, over, run_of

pytestmark = [
    pytest.mark.lab,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("no_warm_children"),
]
CLOUD = CloudInit("web", "ann", "a secret word")


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
