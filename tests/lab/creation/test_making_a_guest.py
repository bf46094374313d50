"""A guest is made whole on a real host, or nothing of it is left there."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from deploy.lab_host import LabHost
from guests.creation import making, services, tidying
from guests.creation.traces import Traces
from guests.creation.wanted import Share, Wanted, WantedDisk, WantedNic
from guests.images.models import Image, ImageCopy, Seed
from guests.images.seed import CloudInit
from guests.models import Guest
from hosts.models import Host, Volume
from hosts.services import address_of
from hosts.storage.models import Holding
from kvmweb.accounts.models import User
from kvmweb.errors import HostError, HostUnreachable
from kvmweb.operations.models import Operation
from tests.lab.booting import SAYS, boot_cd, said_on_serial
from tests.lab.creation.conftest import look, performed, told

pytestmark = [
    pytest.mark.lab,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("clean"),
]
MIB = 1024**2


def wanted(name: str = "fresh", **about: Any) -> Wanted:
    """A small guest with a blank disk and a card."""
    plain: dict[str, Any] = {
        "vcpus": 1,
        "memory_bytes": 32 * MIB,
        "disks": (WantedDisk(size_bytes=64 * MIB),),
        "nics": (WantedNic(network="default"),),
    }
    return Wanted(name=name, **(plain | about))


def orphaned(operation: Operation) -> None:
    """Its worker began it and died a minute ago."""
    Operation.objects.filter(pk=operation.pk).update(
        state=Operation.State.RUNNING,
        worker="gone:1:dead",
        attempts=1,
        lease_until=timezone.now() - timedelta(minutes=1),
    )


def test_a_guest_with_a_blank_disk_runs(kvm: LabHost, home: Host, admin: User) -> None:
    plan = wanted(
        owner="anna",
        tags=("db",),
        description="Fresh",
        autostart=True,
        watchdog="reset",
    )
    operation = performed(services.create(plan, by=admin))
    assert operation.state == "succeeded", operation.error_message
    uuid = str(operation.guest)
    assert operation.result == {"guest": uuid, "host": home.pk}
    assert kvm.virsh("domstate", uuid) == "running"
    assert "Autostart:      enable" in kvm.virsh("dominfo", uuid)
    xml = kvm.virsh("dumpxml", uuid)
    assert "<domain type='qemu'" in xml
    assert "type='qcow2'" in xml
    assert "<kvmweb:tag>db</kvmweb:tag>" in xml
    guest = Guest.objects.get(pk=uuid)
    assert (guest.name, guest.state, guest.tags) == ("fresh", "running", ["db"])
    assert guest.owner == admin
    assert guest.description == "Fresh"
    volume = Volume.objects.get(path__endswith="/fresh.qcow2")
    assert volume.capacity_bytes == 64 * MIB
    assert Holding.objects.get(path=volume.path).state == "ready"


def test_a_guest_that_is_not_to_start_stays_off(
    kvm: LabHost, home: Host, admin: User
) -> None:
    operation = performed(services.create(wanted(start=False), by=admin))
    assert operation.state == "succeeded", operation.error_message
    assert kvm.virsh("domstate", str(operation.guest)) == "shut off"


def test_a_cd_boots_by_bios(kvm: LabHost, home: Host, admin: User) -> None:
    images = kvm.root / "var/lib/libvirt/images"
    boot_cd(images / "boot.iso")
    kvm.virsh("pool-refresh", "default")
    look(home)
    cd = Volume.objects.get(name="boot.iso")
    plan = wanted(memory_bytes=64 * MIB, cdroms=(str(cd.pk),))
    operation = performed(services.create(plan, by=admin))
    assert operation.state == "succeeded", operation.error_message
    assert operation.guest
    said_on_serial(address_of(home), operation.guest, f"{SAYS} pc", 30)


def test_a_cd_boots_by_uefi_with_a_tpm(kvm: LabHost, home: Host, admin: User) -> None:
    images = kvm.root / "var/lib/libvirt/images"
    boot_cd(images / "boot.iso")
    kvm.virsh("pool-refresh", "default")
    look(home)
    cd = Volume.objects.get(name="boot.iso")
    plan = wanted(
        memory_bytes=256 * MIB,
        cdroms=(str(cd.pk),),
        firmware="uefi",
        tpm=True,
        boot=("cdrom",),
        disks=(),
        nics=(),
    )
    operation = performed(services.create(plan, by=admin))
    assert operation.state == "succeeded", operation.error_message
    assert operation.guest
    said_on_serial(address_of(home), operation.guest, f"{SAYS} efi", 60)
    xml = kvm.virsh("dumpxml", str(operation.guest))
    assert "<loader readonly='yes' type='pflash'" in xml
    assert "<backend type='emulator' version='2.0'" in xml
    assert Guest.objects.get(pk=operation.guest).firmware == "uefi"


@pytest.mark.parametrize("step", ["define", "start", "second volume", "seed"])
def test_what_fails_at_any_step_leaves_nothing(
    kvm: LabHost,
    home: Host,
    admin: User,
    step: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = told(kvm)
    cloud = CloudInit(hostname="fresh", user="uwe", password="geheim")
    two = (WantedDisk(size_bytes=MIB), WantedDisk(size_bytes=MIB))
    operation = services.create(wanted(disks=two), cloud, by=admin)

    def fail(*_: Any, **__: Any) -> None:
        raise HostError(f"The {step} failed.")

    if step == "second volume":
        _fail_at_second(monkeypatch)
    elif step == "seed":
        monkeypatch.setattr("guests.images.seeding.seed", fail)
    else:
        monkeypatch.setattr(making, step, fail)
    performed(operation)
    assert operation.state == "failed"
    assert "failed." in operation.error_message
    assert "Nothing of it is left" in operation.error_message
    assert told(kvm) == before
    assert not Holding.objects.exists()
    assert not Seed.objects.exists()
    assert operation.result == {}


def _fail_at_second(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, count = making._blank, []

    def second(*words: Any) -> Any:
        count.append(1)
        if len(count) == 2:
            raise HostError("The second volume failed.")
        return plain(*words)

    monkeypatch.setattr(making, "_blank", second)


def test_one_that_libvirt_cannot_start_leaves_nothing(
    kvm: LabHost, home: Host, admin: User
) -> None:
    before = told(kvm)
    plan = wanted(shares=(Share("/nowhere/at/all", "gone"),))
    operation = performed(services.create(plan, by=admin))
    assert operation.state == "failed"
    assert operation.error_message.startswith("fresh was not made.")
    assert told(kvm) == before


def test_a_volume_somebody_made_meanwhile_is_left_alone(
    kvm: LabHost, home: Host, admin: User
) -> None:
    operation = services.create(wanted(), by=admin)
    kvm.virsh("vol-create-as", "default", "fresh.qcow2", "1M", "--format", "qcow2")
    assert performed(operation).state == "failed"
    assert "There is a volume" in operation.error_message
    assert any(path.endswith("/fresh.qcow2") for path in told(kvm)["volumes"])


def test_a_name_somebody_took_meanwhile_is_refused_and_nothing_left(
    kvm: LabHost, home: Host, admin: User
) -> None:
    operation = services.create(wanted(), by=admin)
    other = kvm.define_demo("fresh", running=False, network="")
    assert performed(operation).state == "failed"
    assert "fresh" in operation.error_message
    found = told(kvm)
    assert str(other) in found["guests"]
    assert not any("fresh.qcow2" in path for path in found["volumes"])


def test_a_disk_that_another_guest_got_meanwhile_is_refused(
    kvm: LabHost, home: Host, admin: User
) -> None:
    kvm.virsh("vol-create-as", "default", "data.qcow2", "1M", "--format", "qcow2")
    look(home)
    volume = Volume.objects.get(name="data.qcow2")
    plan = wanted(disks=(WantedDisk(volume=str(volume.pk)),))
    operation = services.create(plan, by=admin)
    kvm.define_demo("thief", running=False, network="", disk_mib=1)
    kvm.virsh("attach-disk", "thief", volume.path, "vdb", "--config")
    assert performed(operation).state == "failed"
    assert "thief" in operation.error_message
    assert volume.path in told(kvm)["volumes"]


@pytest.mark.parametrize("done", ["volume", "defined", "running"])
def test_a_worker_that_died_leaves_no_half_guest(
    kvm: LabHost,
    home: Host,
    admin: User,
    done: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Killed(BaseException):
        """The process ends here."""

    def die(*_: Any, **__: Any) -> None:
        raise Killed

    operation = services.create(wanted(), by=admin)
    steps = {"volume": "define", "defined": "start", "running": "stands"}
    with monkeypatch.context() as patch:
        patch.setattr(making, steps[done], die)
        patch.setattr(Traces, "take_away", lambda _: [])
        patch.setattr(making, "discard_seed", lambda *_: [])
        with pytest.raises(Killed):
            performed(operation)
    pid = kvm.qemu_pid("fresh") if done == "running" else 0
    orphaned(operation)
    assert performed(operation).state == "succeeded", operation.error_message
    assert kvm.virsh("domstate", str(operation.guest)) == "running"
    assert not pid or kvm.qemu_pid("fresh") == pid
    volumes = [path for path in told(kvm)["volumes"] if "fresh" in path]
    assert volumes == ["/var/lib/libvirt/images/fresh.qcow2"]
    assert Guest.objects.get(pk=operation.guest).name == "fresh"


def test_who_lost_the_right_meanwhile_makes_nothing(
    kvm: LabHost, home: Host, operator: User
) -> None:
    before = told(kvm)
    operation = services.create(wanted(), by=operator)
    User.objects.filter(pk=operator.pk).update(role="user")
    assert performed(operation).state == "failed"
    assert told(kvm) == before


def test_cancelled_in_the_middle_it_is_taken_away(
    kvm: LabHost, home: Host, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = told(kvm)
    operation = services.create(wanted(), by=admin)
    plain = making._blank

    def cancelled(*words: Any) -> Any:
        Operation.objects.update(cancel_requested_at=timezone.now())
        return plain(*words)

    monkeypatch.setattr(making, "_blank", cancelled)
    assert performed(operation).state == "cancelled"
    assert told(kvm) == before


@pytest.fixture
def left_behind(
    kvm: LabHost, home: Host, admin: User, monkeypatch: pytest.MonkeyPatch
) -> Operation:
    """A creation that was cut off from its host in the middle, a minute ago."""

    def lost(*_: Any, **__: Any) -> None:
        raise HostUnreachable("The host is gone.")

    operation = services.create(wanted(tags=("db",)), by=admin)
    with monkeypatch.context() as patch:
        patch.setattr(making, "start", lost)
        patch.setattr(Traces, "_undefine", lost)
        performed(operation)
    assert operation.state == "failed"
    assert "Left on kvm1" in operation.error_message
    assert str(operation.guest) in told(kvm)["guests"]
    assert tidying.look() == 0  # not at once
    Operation.objects.update(finished_at=timezone.now() - timedelta(minutes=1))
    return operation


def test_what_had_to_be_left_is_taken_away_later(
    kvm: LabHost, left_behind: Operation
) -> None:
    assert tidying.look() == 1
    later = performed(Operation.objects.get(kind="guest.tidy-up"))
    assert later.state == "succeeded", later.error_message
    found = told(kvm)
    assert str(left_behind.guest) not in found["guests"]
    assert not any("fresh" in path for path in found["volumes"])
    assert not Holding.objects.exists()
    assert tidying.look() == 0


def test_what_had_to_be_left_and_runs_by_now_is_kept(
    kvm: LabHost, left_behind: Operation
) -> None:
    uuid = str(left_behind.guest)
    kvm.virsh("start", uuid)
    assert tidying.look() == 1
    later = performed(Operation.objects.get(kind="guest.tidy-up"))
    assert later.state == "succeeded", later.error_message
    assert kvm.virsh("domstate", uuid) == "running"
    assert Guest.objects.get(pk=uuid).tags == ["db"]
    assert Holding.objects.get().state == "ready"
    assert tidying.look() == 0


@pytest.fixture
def image(kvm: LabHost, home: Host) -> Image:
    """An image of 8 MiB, with a copy on the host."""
    kvm.virsh("vol-create-as", "default", "base.qcow2", "8M", "--format", "qcow2")
    look(home)
    base = Volume.objects.get(name="base.qcow2")
    made = Image.objects.create(
        name="Base",
        state="ready",
        format="qcow2",
        sha256="a" * 64,
        cloud_init=True,
        virtual_size_bytes=8 * MIB,
    )
    ImageCopy.objects.create(
        image=made, host=home, pool=base.pool, path=base.path, state="ready"
    )
    return made


def test_a_disk_stands_on_the_hosts_copy_of_its_image(
    kvm: LabHost, home: Host, admin: User, image: Image
) -> None:
    disk = WantedDisk(image=str(image.pk), size_bytes=16 * MIB)
    cloud = CloudInit(hostname="", user="uwe", password="geheim")
    operation = performed(services.create(wanted(disks=(disk,)), cloud, by=admin))
    assert operation.state == "succeeded", operation.error_message
    xml = kvm.virsh("vol-dumpxml", "/var/lib/libvirt/images/fresh.qcow2")
    assert "<path>/var/lib/libvirt/images/base.qcow2</path>" in xml
    assert "<format type='qcow2'/>" in xml.split("<backingStore>")[1]
    assert f"<capacity unit='bytes'>{16 * MIB}</capacity>" in xml
    domain = kvm.virsh("dumpxml", str(operation.guest))
    assert "/var/lib/libvirt/images/fresh-seed.iso" in domain
    assert "geheim" not in f"{domain}{operation.params}{operation.result}"
    seed = Seed.objects.get(guest=operation.guest)
    assert seed.written_at
    assert seed.sealed == ""


def test_a_whole_copy_of_an_image_stands_alone(
    kvm: LabHost, home: Host, admin: User, image: Image
) -> None:
    disk = WantedDisk(image=image.name, size_bytes=16 * MIB, copy=True, format="raw")
    operation = performed(services.create(wanted(disks=(disk,)), by=admin))
    assert operation.state == "succeeded", operation.error_message
    xml = kvm.virsh("vol-dumpxml", "/var/lib/libvirt/images/fresh.img")
    assert "backingStore" not in xml
    assert f"<capacity unit='bytes'>{16 * MIB}</capacity>" in xml
