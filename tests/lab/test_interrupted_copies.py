"""Workers and libvirtd die in the middle of snapshots and clones: nothing half stays."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.utils import timezone

from deploy.lab_host import LabHost
from guests.cloning import services as cloning
from guests.models import Guest
from guests.snapshots import making, services
from guests.snapshots.models import Snapshot
from guests.snapshots.services import Wish
from hosts.models import Host, Volume
from hosts.storage import holdings
from hosts.storage.models import Holding
from kvmweb.accounts.models import User
from kvmweb.operations import tasks
from kvmweb.operations.models import Operation
from kvmweb.virt.snapshot_types import Wanted
from tests.lab import seeing
from tests.waiting import until

pytestmark = [
    pytest.mark.lab,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("no_warm_children"),
]
IMAGES = "/var/lib/libvirt/images"


@pytest.fixture
def guest_of(kvm: LabHost, home: Host) -> Iterator[Callable[..., Guest]]:
    """Makes guests with a disk that the product has seen; all of them go at the end."""

    def make(name: str, **about: Any) -> Guest:
        uuid = kvm.define_demo(name, network="", disk_mib=64, **about)
        seeing.look(home)
        return Guest.objects.select_related("host").get(pk=uuid)

    yield make
    for name in kvm.virsh("list", "--all", "--name").split():
        if name.startswith("cut"):
            if kvm.virsh("domstate", name) != "shut off":
                kvm.virsh("destroy", name)
            kvm.virsh("undefine", name, "--managed-save", "--snapshots-metadata")
    for path in Path(kvm.root, IMAGES[1:]).glob("cut*"):
        path.unlink()


def orphaned(operation: Operation, **result: Any) -> Operation:
    """Its worker began it, wrote this down, and died a minute ago."""
    Operation.objects.filter(pk=operation.pk).update(
        state=Operation.State.RUNNING,
        worker="gone:1:dead",
        attempts=1,
        lease_until=timezone.now() - timedelta(minutes=1),
        result=result,
    )
    operation.refresh_from_db()
    return operation


def in_background(operation: Operation) -> threading.Thread:
    """A worker that does it."""

    def work() -> None:
        tasks.run(str(operation.pk))
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def files(kvm: LabHost, start: str) -> list[str]:
    """What lies in the pool and begins so."""
    return sorted(it.name for it in Path(kvm.root, IMAGES[1:]).glob(f"{start}*"))


def asked(guest: Guest, by: User, *, memory: bool = False) -> Operation:
    """A snapshot that is asked for."""
    return services.create(seeing.fresh(guest), Wish("s", "", memory), by=by)


def wanted_by(operation: Operation, kind: str) -> Wanted:
    """What the worker wrote down before it asked the host."""
    stem = f"{IMAGES}/cut.s.{operation.pk.hex[:8]}"
    if kind == "internal":
        return Wanted("s", "", external=False, memory=False)
    return Wanted(
        "s", "", external=True, memory=False, overlays=(("vda", f"{stem}.vda.qcow2"),)
    )


def test_a_snapshot_that_was_whole_is_not_made_twice(
    kvm: LabHost, home: Host, guest_of: Callable[..., Guest], admin: User
) -> None:
    guest = guest_of("cut", running=False)
    operation = asked(guest, admin)
    kvm.virsh("snapshot-create-as", "cut", "s")
    orphaned(operation, wanted=asdict(wanted_by(operation, "internal")), begun=True)
    done = seeing.performed(operation)
    assert done.state == "succeeded", done.error_message
    assert kvm.virsh("snapshot-list", "cut", "--name").split() == ["s"]


def test_half_of_one_inside_a_disk_is_cleared_away(
    kvm: LabHost, home: Host, guest_of: Callable[..., Guest], admin: User
) -> None:
    guest = guest_of("cut", running=False)
    operation = asked(guest, admin)
    disk = f"{kvm.root}{IMAGES}/cut.qcow2"
    kvm.run("qemu-img", "snapshot", "-c", "s", f"{IMAGES}/cut.qcow2")  # no record of it
    orphaned(operation, wanted=asdict(wanted_by(operation, "internal")), begun=True)
    done = seeing.performed(operation)
    assert done.state == "failed"
    assert "does not exist" in done.error_message
    assert "Snapshot list" not in kvm.run(
        "qemu-img", "info", disk.removeprefix(str(kvm.root))
    )
    seeing.look(home)
    assert not Snapshot.objects.exists()


def test_a_lost_record_of_files_in_use_is_written_anew(
    kvm: LabHost, home: Host, guest_of: Callable[..., Guest], admin: User
) -> None:
    guest = guest_of("cut", running=False, memory_mib=16)
    kvm.virsh("start", "cut", "--paused")
    seeing.look(home)
    operation = asked(guest, admin)
    wanted = wanted_by(operation, "external")
    ((_, path),) = wanted.overlays
    spec = f"vda,snapshot=external,file={path}"
    kvm.virsh(
        "snapshot-create-as",
        "cut",
        "s",
        "--disk-only",
        "--no-metadata",
        "--diskspec",
        spec,
    )
    holdings.building(home, path, operation)
    orphaned(operation, wanted=asdict(wanted), begun=True, state="paused")
    done = seeing.performed(operation)
    assert done.state == "succeeded", done.error_message
    seeing.look(home)
    (row,) = Snapshot.objects.all()
    assert (row.kind, row.current) == ("external", True)
    assert row.disks[0]["base"] == f"{IMAGES}/cut.qcow2"
    assert not Holding.objects.filter(state="building").exists()
    back = seeing.done(
        lambda: services.revert(seeing.fresh(guest), "s", by=admin), home
    )
    assert back.state == "succeeded", back.error_message


@pytest.mark.parametrize("memory", [True, False])
def test_libvirtd_dies_in_the_middle_of_a_snapshot(
    kvm: LabHost,
    home: Host,
    guest_of: Callable[..., Guest],
    admin: User,
    *,
    memory: bool,
) -> None:
    guest = guest_of("cut")
    if memory:  # one beside the disk first: all others are, too
        kvm.virsh("snapshot-create-as", "cut", "first", "--disk-only")
    seeing.look(home)
    before = kvm.virsh("snapshot-list", "cut", "--name").split()
    operation = asked(guest, admin, memory=memory)
    cut_short(kvm, operation, "cut.s.")
    assert operation.state in {"succeeded", "failed"}, operation.message
    made = operation.state == "succeeded"
    listed = kvm.virsh("snapshot-list", "cut", "--name").split()
    assert ("s" in listed) == made, operation.error_message
    assert set(before) <= set(listed)
    assert kvm.virsh("domstate", "cut") == "running"
    seeing.look(home)
    left = [f"{IMAGES}/{name}" for name in files(kvm, "cut.s.")]
    assert made or not choosable(admin, home, left), left
    if made:
        back = seeing.done(
            lambda: services.revert(seeing.fresh(guest), "s", by=admin), home
        )
        assert back.state == "succeeded", back.error_message


def cut_short(kvm: LabHost, operation: Operation, start: str) -> None:
    """Do the operation, and kill libvirtd as soon as a file appears that begins so."""
    worker = in_background(operation)
    try:
        until(lambda: files(kvm, start) or not worker.is_alive(), 20, pause=0.001)
    finally:
        kvm.kill_libvirtd()
        kvm.start_libvirtd()
        worker.join(120)
    operation.refresh_from_db()


def choosable(user: User, home: Host, paths: list[str]) -> list[str]:
    """Those of these volumes that somebody could take."""
    rows = holdings.choosable(user, home).filter(path__in=paths)
    return list(rows.values_list("path", flat=True))


def test_libvirtd_dies_in_the_middle_of_a_clone(
    kvm: LabHost, home: Host, guest_of: Callable[..., Guest], admin: User
) -> None:
    guest = guest_of("cut", running=False)
    kvm.run(
        "qemu-io", "-f", "qcow2", "-c", "write -q -P 9 0 64M", f"{IMAGES}/cut.qcow2"
    )
    kvm.virsh("pool-refresh", "default")
    seeing.look(home)
    parent = cloning.clone(seeing.fresh(guest), cloning.Wish("cut-2"), by=admin)
    (operation,) = Operation.objects.filter(parent=parent)
    cut_short(kvm, operation, "cut-2")
    assert operation.state == "failed", operation.message
    seeing.look(home)
    assert "cut-2" not in kvm.virsh("list", "--all", "--name").split()
    paths = [f"{IMAGES}/{name}" for name in files(kvm, "cut-2")]
    assert not choosable(admin, home, paths)
    for path in paths:  # what could not be deleted now is known as half made
        assert Volume.objects.filter(path=path).exists()
        assert Holding.objects.get(path=path).state == "building"
    parent.refresh_from_db()
    assert parent.state == "failed"


def test_a_dead_worker_leaves_going_back_to_the_next_one(
    kvm: LabHost, home: Host, guest_of: Callable[..., Guest], admin: User
) -> None:
    guest = guest_of("cut", running=False, memory_mib=16)
    kvm.virsh("start", "cut", "--paused")
    seeing.look(home)
    assert seeing.performed(asked(guest, admin)).state == "succeeded"
    seeing.look(home)
    operation = services.revert(seeing.fresh(guest), "s", by=admin)
    stem = f"cut.{operation.pk.hex[:8]}.vda.qcow2"
    new = ("--backing-vol", "cut.qcow2", "--backing-vol-format", "qcow2")
    kvm.virsh("vol-create-as", "default", stem, "64M", "--format", "qcow2", *new)
    holdings.building(home, f"{IMAGES}/{stem}", operation)
    kvm.virsh("destroy", "cut")
    orphaned(operation, begun=True, left=[f"{IMAGES}/nothing.qcow2"])
    done = seeing.performed(operation)
    assert done.state == "succeeded", done.error_message
    assert f"{IMAGES}/{stem}" in kvm.virsh("dumpxml", "cut")
    assert not Holding.objects.filter(state="building").exists()


def test_a_snapshot_is_not_looked_for_on_a_host_that_stays_away(
    kvm: LabHost,
    home: Host,
    guest_of: Callable[..., Guest],
    admin: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    guest = guest_of("cut", running=False)
    operation = asked(guest, admin)
    orphaned(operation, wanted=asdict(wanted_by(operation, "internal")), begun=True)
    monkeypatch.setattr(making, "BACK_S", 1.0)
    Host.objects.filter(pk=home.pk).update(state=Host.State.DOWN, error="gone")
    done = seeing.performed(operation)
    assert (done.state, "down" in done.error_message) == ("failed", True)
    assert UUID(str(done.guest)) == guest.pk
