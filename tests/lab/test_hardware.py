"""Hardware of real guests changed while they run, and seen from inside."""

import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from deploy.lab_host import LabError, LabHost
from guests import services
from guests.edits import Edit
from guests.hardware import disk_work, disks, nics, versions
from guests.hardware.device_wishes import DiskChange, DiskWish, NicChange, NicWish
from guests.hardware.wishes import Hardware
from guests.models import Guest
from hosts.models import Host, Volume
from hosts.storage import making
from kvmweb.accounts.models import User
from kvmweb.operations.models import Operation
from kvmweb.virt import connection as virt
from kvmweb.virt.xml.domain import Domain
from tests.lab import seeing
from tests.lab.shell import Shell
from tests.waiting import until

pytestmark = [pytest.mark.lab, pytest.mark.django_db(transaction=True)]
MIB = 1024**2
SLOTS = "<maxMemory slots='4' unit='MiB'>1024</maxMemory>"
PORTS = "".join(
    f"<controller type='pci' index='{n}' model='pcie-root-port'/>"
    for n in range(40, 54)
)


@pytest.fixture
def home(
    kvm: LabHost, redis_server: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Host]:
    """Its row; whoever waits for a row makes the watcher look first."""
    found = seeing.home_of(kvm)
    plain = making.until_row

    def looking(find: Callable[[], Any], **about: Any) -> Any:
        seeing.look(found)
        return plain(find, **about)

    monkeypatch.setattr(making, "until_row", looking)
    monkeypatch.setattr(disk_work, "until_row", looking)
    yield found
    virt.close_all()


@pytest.fixture
def roomy(kvm: LabHost, home: Host) -> Iterator[Callable[..., Guest]]:
    """Makes demo guests with room to plug things in, that go when the test has ended."""
    name = f"hw{os.getpid()}"
    made: list[str] = []

    def make(*, start: bool = True, slots: bool = False, **about: Any) -> Guest:
        uuid = kvm.define_demo(name, running=False, network="", **about)
        made.append(str(uuid))
        xml = kvm.virsh("dumpxml", "--inactive", str(uuid))
        path = kvm.root / "roomy.xml"
        path.write_text(_roomier(xml, slots=slots))
        kvm.virsh("define", str(path))
        if start:
            kvm.virsh("start", str(uuid))
        seeing.look(home)
        return Guest.objects.get(pk=uuid)

    yield make
    for uuid in made:
        if kvm.virsh("domstate", uuid) != "shut off":
            kvm.virsh("destroy", uuid)
        kvm.virsh("undefine", uuid)
    for path in (kvm.root / "var/lib/libvirt/images").glob(f"{name}*"):
        path.unlink()
    kvm.virsh("pool-refresh", "default")


def _roomier(xml: str, *, slots: bool) -> str:
    """With a second vCPU to plug in, ports for devices, perhaps slots for memory."""
    xml = xml.replace("<vcpu placement='static'>1<", "<vcpu current='1'>2<")
    if slots:
        cell = "<numa><cell id='0' cpus='0-1' memory='262144' unit='KiB'/></numa>"
        xml = xml.replace("<memory ", f"{SLOTS}<memory ", 1)
        xml = xml.replace("<clock", f"<cpu mode='maximum'>{cell}</cpu><clock", 1)
    return xml.replace("<devices>", f"<devices>{PORTS}")


def done(operation: Operation, home: Host) -> Operation:
    """The operation, done well as by a worker, and the watcher has looked again."""
    seeing.performed(operation)
    seeing.look(home)
    assert operation.state == "succeeded", operation.error_message
    return operation


def live(kvm: LabHost, guest: Guest) -> Domain:
    return Domain.parse(kvm.virsh("dumpxml", str(guest.pk)))


def config(kvm: LabHost, guest: Guest) -> Domain:
    return Domain.parse(kvm.virsh("dumpxml", "--inactive", str(guest.pk)))


def orphaned(operation: Operation, **columns: Any) -> Operation:
    """Its worker began it and died a minute ago."""
    Operation.objects.filter(pk=operation.pk).update(
        state=Operation.State.RUNNING,
        worker="gone:1:dead",
        attempts=1,
        lease_until=timezone.now() - timedelta(minutes=1),
        **columns,
    )
    operation.refresh_from_db()
    return operation


def test_what_is_plugged_in_is_seen_from_inside(
    kvm: LabHost, home: Host, roomy: Callable[..., Guest], admin: User
) -> None:
    guest = roomy(memory_mib=192)
    with Shell(kvm, guest.pk) as shell:
        shell.booted()
        _a_disk(kvm, home, guest, admin, shell)
        _a_card(kvm, home, guest, admin, shell)
        _numbers(kvm, home, guest, admin, shell)
    assert not versions.pending_of(Guest.objects.get(pk=guest.pk)).changes


def _a_disk(kvm: LabHost, home: Host, guest: Guest, by: User, shell: Shell) -> None:
    wish = DiskWish(size_bytes=16 * MIB)
    operation = done(disks.add(guest, wish, when="now", by=by), home)
    assert not operation.result["at_next_start"], operation.message
    until(lambda: shell.say("cat /sys/block/vda/size") == str(16 * 2048), 10)
    assert shell.say("echo kvmweb | dd of=/dev/vda bs=512 conv=sync 2>&1 | tail -1")
    seats = [_seat(doc) for doc in (live(kvm, guest), config(kvm, guest))]
    assert seats[0] == seats[1]
    guest.refresh_from_db()
    change = DiskChange(size_bytes=32 * MIB)
    done(disks.change(guest, "vda", change, when="now", by=by), home)
    until(lambda: shell.say("cat /sys/block/vda/size") == str(32 * 2048), 10)
    row = Volume.objects.get(pool__host=home, path=operation.result["path"])
    assert row.capacity_bytes == 32 * MIB
    removal = disks.remove(guest, "vda", delete=True, when="now", by=by)
    said = done(removal, home)
    assert "in the trash" in said.message
    assert shell.say("ls /sys/block").split().count("vda") == 0
    assert not live(kvm, guest).disks
    assert not config(kvm, guest).disks


def _seat(doc: Domain) -> str:
    from guests.hardware.parts import Seat

    return " ".join(str(Seat(doc.disks[0].element).address).split())


def _a_card(kvm: LabHost, home: Host, guest: Guest, by: User, shell: Shell) -> None:
    wish = NicWish(network="default")
    operation = done(nics.add(guest, wish, when="now", by=by), home)
    mac = operation.result["mac"]
    until(lambda: mac in shell.say("cat /sys/class/net/*/address"), 10)
    name = shell.say(f"grep -l {mac} /sys/class/net/*/address").split("/")[4]
    shell.say(f"ip link set {name} up")
    carrier = f"cat /sys/class/net/{name}/carrier"
    until(lambda: shell.say(carrier) == "1", 10)
    guest.refresh_from_db()
    down = NicChange(link_up=False)  # limits need more of a kernel than a lab has
    operation = done(nics.change(guest, mac, down, when="now", by=by), home)
    assert not operation.result["at_next_start"], operation.message
    until(lambda: shell.say(carrier) == "0", 10)
    for doc in (live(kvm, guest), config(kvm, guest)):
        assert doc.nics[0].link == "down"
    done(nics.remove(guest, mac, when="now", by=by), home)
    assert mac not in shell.say("cat /sys/class/net/*/address")


def _numbers(kvm: LabHost, home: Host, guest: Guest, by: User, shell: Shell) -> None:
    before = _memory_mib(shell)
    _wish(home, guest, by, Hardware(vcpus=2, memory_bytes=136 * MIB))
    present = "cat /sys/devices/system/cpu/present"
    until(lambda: shell.say(present) == "0-1", 10)
    until(lambda: _memory_mib(shell) < before - 40, 20)
    assert config(kvm, guest).current_memory == 136 * MIB


def _wish(home: Host, guest: Guest, by: User, wish: Hardware) -> None:
    guest.refresh_from_db()
    operation = services.edit(guest, Edit(), by=by, hardware=wish)
    assert operation
    done(operation, home)


def _memory_mib(shell: Shell) -> int:
    return int(shell.say("grep MemTotal /proc/meminfo").split()[1]) // 1024


def test_memory_is_plugged_in_where_there_are_slots(
    kvm: LabHost, home: Host, roomy: Callable[..., Guest], admin: User
) -> None:
    guest = roomy(slots=True, memory_mib=256)
    with Shell(kvm, guest.pk) as shell:
        shell.booted()
        _wish(home, guest, admin, Hardware(memory_bytes=360 * MIB))
        blocks = "ls -d /sys/devices/system/memory/memory* | wc -l"
        assert int(shell.say(blocks)) >= 2
    for doc in (live(kvm, guest), config(kvm, guest)):
        assert [it.size for it in doc.memory_devices] == [128 * MIB]
        assert doc.memory == (256 + 128) * MIB
        assert doc.numa_cells[0].memory == 256 * 1024


def test_a_cd_is_changed_while_it_runs(
    kvm: LabHost, home: Host, roomy: Callable[..., Guest], admin: User
) -> None:
    guest = roomy(start=False)
    for name in ("first", "second"):
        kvm.virsh("vol-create-as", "default", f"{guest.name}-{name}.iso", "1M")
    seeing.look(home)
    isos = [
        Volume.objects.get(name=f"{guest.name}-{name}.iso", pool__host=home)
        for name in ("first", "second")
    ]
    done(disks.set_media(guest, str(isos[0].pk), when="now", by=admin), home)
    kvm.virsh("start", str(guest.pk), "--paused")
    for volume in (isos[1], None):
        seeing.look(home)
        guest.refresh_from_db()
        word = str(volume.pk) if volume else ""
        operation = done(disks.set_media(guest, word, when="now", by=admin), home)
        assert not operation.result["at_next_start"], operation.message
        monitor = kvm.virsh("qemu-monitor-command", "--hmp", guest.name, "info block")
        assert ("second.iso" in monitor) == (volume is not None)
        assert "first.iso" not in monitor
        for doc in (live(kvm, guest), config(kvm, guest)):
            assert doc.disks[0].file == (volume.path if volume else "")


def test_a_guest_that_does_not_let_go_keeps_its_disk_and_says_so(
    kvm: LabHost, home: Host, roomy: Callable[..., Guest], admin: User
) -> None:
    guest = roomy(start=False, memory_mib=16, disk_mib=1)
    kvm.virsh("pool-refresh", "default")
    kvm.virsh("start", str(guest.pk), "--paused")  # at its first instruction
    seeing.look(home)
    guest.refresh_from_db()
    operation = disks.remove(guest, "vda", delete=True, when="now", by=admin)
    seeing.performed(operation)
    assert operation.state == "failed"
    assert operation.error_code == "guest_refused"
    assert "still plugged in" in operation.error_message
    assert len(live(kvm, guest).disks) == len(config(kvm, guest).disks) == 1
    later = disks.remove(guest, "vda", delete=False, when="next-start", by=admin)
    assert done(later, home).result["at_next_start"]
    guest.refresh_from_db()
    assert versions.pending_of(guest).changes == ["disk vda removed"]
    done(versions.revoke(guest, by=admin), home)
    assert len(config(kvm, guest).disks) == 1


def test_a_worker_that_died_leaves_one_disk_and_no_orphan(
    kvm: LabHost, home: Host, roomy: Callable[..., Guest], admin: User
) -> None:
    guest = roomy(start=False, memory_mib=16)
    kvm.virsh("start", str(guest.pk), "--paused")
    seeing.look(home)
    guest.refresh_from_db()
    # It had plugged the disk into what runs, and not yet into the definition.
    operation = disks.add(guest, DiskWish(size_bytes=MIB), when="now", by=admin)
    name = operation.params["name"]
    path = f"/var/lib/libvirt/images/{name}"
    kvm.virsh("vol-create-as", "default", name, "1M", "--format", "qcow2")
    attach = ("attach-disk", guest.name, path, "vda", "--live", "--targetbus", "virtio")
    kvm.virsh(*attach, "--subdriver", "qcow2")
    done(
        orphaned(operation, result={"begun": True, "path": path, "volume": None}), home
    )
    for doc in (live(kvm, guest), config(kvm, guest)):
        assert [disk.file for disk in doc.disks] == [path]
    # It had made half of a volume, and no disk of it.
    operation = disks.add(guest, DiskWish(size_bytes=MIB), when="now", by=admin)
    kvm.virsh("vol-create-as", "default", operation.params["name"], "4k")
    done(orphaned(operation, result={"begun": True}), home)
    assert len(live(kvm, guest).disks) == len(config(kvm, guest).disks) == 2
    files = sorted(Path(kvm.root, "var/lib/libvirt/images").glob(f"{guest.name}*"))
    assert len(files) == 2


def test_what_others_wrote_stays_and_what_libvirt_refuses_changes_nothing(
    kvm: LabHost, home: Host, roomy: Callable[..., Guest], admin: User, tmp_path: Path
) -> None:
    guest = roomy(start=False, memory_mib=16)
    theirs = kvm.virsh("dumpxml", "--inactive", str(guest.pk)).replace(
        "<devices>",
        "<cputune><shares>77</shares></cputune><devices>"
        "<video><model type='virtio'/></video>",
    )
    (tmp_path / "theirs.xml").write_text(theirs)
    kvm.virsh("define", str(tmp_path / "theirs.xml"))
    seeing.look(home)
    guest.refresh_from_db()
    before = kvm.virsh("dumpxml", "--inactive", str(guest.pk))
    wish = Hardware(memory_bytes=32 * MIB)
    operation = services.edit(guest, Edit(), by=admin, hardware=wish)
    assert operation
    done(operation, home)
    after = kvm.virsh("dumpxml", "--inactive", str(guest.pk))
    assert after == before.replace(f">{16 * 1024}<", f">{32 * 1024}<")
    guest.refresh_from_db()
    wrong = versions.current(guest).replace("<vcpu", "<odd/><vcpu")
    operation = versions.define(guest, wrong, by=admin)
    seeing.performed(operation)
    assert operation.error_code == "invalid"
    assert kvm.virsh("dumpxml", "--inactive", str(guest.pk)) == after
    done(versions.restore(guest, 1, by=admin), home)
    restored = config(kvm, guest)
    assert restored.memory == 16 * MIB
    assert not restored.cpu_shares


def test_a_guest_without_a_free_port_gets_its_disk_at_its_next_start(
    kvm: LabHost, home: Host, roomy: Callable[..., Guest], admin: User
) -> None:
    uuid: UUID = kvm.define_demo("narrow", memory_mib=16, running=False, paused=True)
    try:
        seeing.look(home)
        guest = Guest.objects.get(pk=uuid)
        waiting = count = 0
        while not waiting:
            count += 1
            assert count < 9, "Eight disks fit into a guest without spare ports?"
            wish = DiskWish(size_bytes=MIB)
            operation = done(disks.add(guest, wish, when="now", by=admin), home)
            guest.refresh_from_db()
            waiting = operation.result["at_next_start"]
        assert "at its next start" in operation.message
        assert len(config(kvm, guest).disks) == count
        kvm.virsh("destroy", str(uuid))
        kvm.virsh("start", str(uuid), "--paused")
        assert len(live(kvm, guest).disks) == count
    finally:
        _forget(kvm, uuid)


def _forget(kvm: LabHost, uuid: UUID) -> None:
    if kvm.virsh("domstate", str(uuid)) != "shut off":
        kvm.virsh("destroy", str(uuid))
    kvm.virsh("undefine", str(uuid))
    for path in (kvm.root / "var/lib/libvirt/images").glob("narrow*"):
        path.unlink()
    try:
        kvm.virsh("pool-refresh", "default")
    except LabError:
        return
