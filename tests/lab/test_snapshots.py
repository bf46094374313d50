"""Snapshots on a real host: one can always go back, and nothing half stays."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from deploy import demo, places
from deploy.lab_host import LabHost
from guests.models import Guest
from guests.snapshots import queries, services
from guests.snapshots.services import Wish
from hosts.models import Host
from hosts.storage.models import Holding
from kvmweb.accounts.models import User
from kvmweb.operations.models import Operation
from tests.lab import seeing
from tests.lab.shell import Shell

pytestmark = [
    pytest.mark.lab,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("no_warm_children"),
]
IMAGES = "/var/lib/libvirt/images"
UEFI = """<domain type='qemu'>
  <name>{name}</name>
  <memory unit='MiB'>192</memory><vcpu>1</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type>
    <loader readonly='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE_4M.fd</loader>
    <nvram template='/usr/share/OVMF/OVMF_VARS_4M.fd'/>
    <kernel>{kernel}</kernel><initrd>{initrd}</initrd><cmdline>{cmdline}</cmdline></os>
  <features><acpi/></features>
  <devices>
    <disk type='file' device='disk'><driver name='qemu' type='raw'/>
      <source file='{images}/{name}.img'/><target dev='vda' bus='virtio'/></disk>
    <serial type='pty'/><console type='pty'/>
  </devices>
</domain>
"""


@pytest.fixture
def guest_of(kvm: LabHost, home: Host) -> Iterator[Callable[..., Guest]]:
    """Makes guests with a disk, seen by the product; they go with all their files."""
    made: list[UUID] = []

    def make(name: str, **about: Any) -> Guest:
        uuid = kvm.define_demo(name, network="", disk_mib=16, **about)
        made.append(uuid)
        seeing.look(home)
        return Guest.objects.select_related("host").get(pk=uuid)

    yield make
    for uuid in made:
        gone(kvm, uuid)


def gone(kvm: LabHost, uuid: UUID) -> None:
    """Take the guest away, with everything that was made of it."""
    name = kvm.virsh("domname", str(uuid)).strip()
    if kvm.virsh("domstate", str(uuid)) != "shut off":
        kvm.virsh("destroy", str(uuid))
    kvm.virsh(
        "undefine", str(uuid), "--managed-save", "--snapshots-metadata", "--nvram"
    )
    for path in Path(kvm.root, IMAGES[1:]).glob(f"{name}.*"):
        path.unlink()


def image(kvm: LabHost, path: str) -> str:
    """Where a file of the host lies on this machine."""
    return str(kvm.root) + path


def write(kvm: LabHost, guest: Guest, byte: int) -> None:
    """Fill the beginning of the first disk of a guest that is off."""
    path = source(kvm, guest)
    kvm.run("qemu-io", "-f", "qcow2", "-c", f"write -P {byte} 0 64k", path)


def holds(kvm: LabHost, guest: Guest, byte: int) -> bool:
    """Whether the disk begins with this byte."""
    path = source(kvm, guest)
    said = kvm.run("qemu-io", "-r", "-f", "qcow2", "-c", f"read -P {byte} 0 64k", path)
    return "verification failed" not in said


def source(kvm: LabHost, guest: Guest) -> str:
    """The file that its first disk writes to."""
    xml = kvm.virsh("dumpxml", str(guest.pk))
    return xml.partition("<source file='")[2].partition("'")[0]


def keep(guest: Guest, name: str, by: User, *, memory: bool = False) -> Operation:
    """The snapshot, made and seen."""
    assert guest.host is not None
    wish = Wish(name, f"before {name}", memory)
    operation = seeing.done(
        lambda: services.create(seeing.fresh(guest), wish, by=by), guest.host
    )
    assert operation.state == "succeeded", operation.error_message
    return operation


def back(guest: Guest, name: str, by: User) -> Operation:
    """The guest, back at a snapshot."""
    assert guest.host is not None
    operation = seeing.done(
        lambda: services.revert(seeing.fresh(guest), name, by=by), guest.host
    )
    assert operation.state == "succeeded", operation.error_message
    return operation


def asked_to_delete(guest: Guest, name: str, by: User) -> Operation:
    """The end of its deletion, whatever it is."""
    assert guest.host is not None
    return seeing.done(
        lambda: services.delete(seeing.fresh(guest), name, by=by), guest.host
    )


def delete(guest: Guest, name: str, by: User) -> None:
    """The snapshot is deleted."""
    operation = asked_to_delete(guest, name, by)
    assert operation.state == "succeeded", operation.error_message


def tree(guest: Guest) -> list[tuple[str, int, bool]]:
    """Name, depth and whether it is the current one."""
    return [(it.name, it.depth, it.current) for it in queries.tree(guest)]


def test_a_guest_that_is_off_goes_back_to_what_its_disk_was(
    kvm: LabHost, guest_of: Callable[..., Guest], admin: User
) -> None:
    guest = guest_of("plain", running=False)
    write(kvm, guest, 1)
    operation = keep(guest, "one", admin)
    assert operation.result["kind"] == "internal"
    write(kvm, guest, 2)
    keep(guest, "two", admin)
    write(kvm, guest, 3)
    back(guest, "one", admin)
    assert holds(kvm, guest, 1)
    assert tree(guest) == [("one", 0, True), ("two", 1, False)]
    back(guest, "two", admin)
    assert holds(kvm, guest, 2)
    delete(guest, "one", admin)
    assert tree(guest) == [("two", 0, True)]
    assert holds(kvm, guest, 2)


def test_memory_goes_on_where_it_was(
    kvm: LabHost, guest_of: Callable[..., Guest], admin: User
) -> None:
    guest = guest_of("memory")
    with Shell(kvm, guest.pk) as shell:
        shell.booted()
        shell.say("mkdir -p /t; echo early > /t/when")
        shell.say(
            "n=0; (while :; do n=$((n+1)); echo $n > /t/n; sleep 0.1; done) & true"
        )
    operation = keep(guest, "early", admin, memory=True)
    assert operation.result["kind"] == "internal"
    with Shell(kvm, guest.pk) as shell:
        shell.say("echo late > /t/when")
        late = int(shell.say("sleep 2; cat /t/n"))
    back(guest, "early", admin)
    with Shell(kvm, guest.pk) as shell:
        assert shell.say("cat /t/when") == "early"
        again = int(shell.say("cat /t/n"))
        assert again < late
        assert int(shell.say("sleep 1; cat /t/n")) > again
    assert seeing.fresh(guest).state == "running"


@pytest.fixture
def branched(
    kvm: LabHost, guest_of: Callable[..., Guest], admin: User
) -> tuple[Guest, str, str]:
    """A guest with snapshots beside its disk, one after two: its disk then held 1 and 2.

    It went back to the first. Beside it the disk it had at first, and the file that it
    lost when it went back.
    """
    guest = guest_of("beside", memory_mib=16, running=False)
    first = source(kvm, guest)
    for number, name in enumerate(("one", "two"), 1):
        write(kvm, guest, number)
        kvm.virsh("start", "beside", "--paused")
        operation = keep(guest, name, admin)
        assert operation.result["kind"] == "external"
        kvm.virsh("destroy", "beside")
    write(kvm, guest, 3)
    assert all(row.size_bytes for row in queries.of(guest))
    kvm.virsh("start", "beside", "--paused")
    lost = source(kvm, guest)
    operation = back(guest, "one", admin)
    assert operation.result["state"] == "shutoff"
    return guest, first, lost


def test_going_back_destroys_nothing(
    kvm: LabHost, branched: tuple[Guest, str, str], admin: User
) -> None:
    guest, first, lost = branched
    assert tree(guest) == [("one", 0, True), ("two", 1, False)]
    assert holds(kvm, guest, 1)
    assert first != source(kvm, guest) != lost
    assert Holding.objects.get(path=lost).state == Holding.State.TRASH
    assert Path(image(kvm, lost)).exists()
    back(guest, "two", admin)
    assert holds(kvm, guest, 2)
    # A branch that nobody needs goes with the file that it kept.
    back(guest, "one", admin)
    delete(guest, "two", admin)
    assert tree(guest) == [("one", 0, True)]
    delete(guest, "one", admin)
    assert holds(kvm, guest, 1)
    assert _files(kvm, "beside") == ["beside.qcow2"]


def test_files_are_merged_and_never_under_anothers_feet(
    kvm: LabHost, branched: tuple[Guest, str, str], admin: User
) -> None:
    guest, first, lost = branched
    # Both stand on the same file now: libvirt 9.0 would merge and destroy the other.
    refused = asked_to_delete(guest, "one", admin)
    assert refused.state == "failed"
    assert "the snapshot two stands" in refused.error_message
    assert Path(image(kvm, lost)).exists()
    back(guest, "two", admin)
    # The guest is off: it is loaded without running, merged and off again.
    delete(guest, "one", admin)
    assert holds(kvm, guest, 2)
    assert kvm.virsh("domstate", "beside") == "shut off"
    kvm.virsh("start", "beside", "--paused")
    delete(guest, "two", admin)
    kvm.virsh("destroy", "beside")
    assert (tree(guest), source(kvm, guest)) == ([], first)
    assert holds(kvm, guest, 2)
    assert _files(kvm, "beside") == ["beside.qcow2"]


def _files(kvm: LabHost, start: str) -> list[str]:
    return sorted(it.name for it in Path(kvm.root, IMAGES[1:]).glob(f"{start}.*"))


@pytest.fixture
def uefi(kvm: LabHost, home: Host) -> Iterator[Guest]:
    """A running UEFI guest on a raw disk."""
    kernel, initrd = demo.parts(places.data_dir())
    kvm.virsh("vol-create-as", "default", "uefi.img", "16M")
    path = kvm.root / "uefi.xml"
    path.write_text(
        UEFI.format(
            name="uefi",
            kernel=kernel,
            initrd=initrd,
            cmdline=demo.COMMAND_LINE,
            images=IMAGES,
        )
    )
    kvm.virsh("define", str(path))
    uuid = UUID(kvm.virsh("domuuid", "uefi"))
    kvm.virsh("start", "uefi")
    seeing.look(home)
    yield Guest.objects.select_related("host").get(pk=uuid)
    gone(kvm, uuid)


def test_a_uefi_guest_on_a_raw_disk_goes_back_with_its_memory(
    kvm: LabHost, uefi: Guest, admin: User
) -> None:
    to_disk = "| dd of=/dev/vda conv=sync 2>/dev/null; sync"
    with Shell(kvm, uefi.pk) as shell:
        shell.booted().say("mkdir -p /t; echo early > /t/when")
        shell.say(f"echo early {to_disk}")
    operation = keep(uefi, "early", admin, memory=True)
    assert operation.result["kind"] == "external"
    (row,) = queries.of(uefi)
    assert row.memory
    assert (row.size_bytes or 0) > 1024**2
    with Shell(kvm, uefi.pk) as shell:
        shell.say(f"echo late > /t/when; echo late {to_disk}")
    back(uefi, "early", admin)
    with Shell(kvm, uefi.pk) as shell:
        assert shell.say("cat /t/when") == "early"
        # Past what it has cached: the disk is what it was, too.
        said = shell.say("echo 3 > /proc/sys/vm/drop_caches; head -c 5 /dev/vda")
        assert said == "early"
    delete(uefi, "early", admin)
    assert _files(kvm, "uefi") == ["uefi.img"]
    assert source(kvm, uefi) == f"{IMAGES}/uefi.img"
