"""Operations on guests when hosts hang, workers die or people change their minds."""

import resource
import shutil
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from deploy import demo as demo_parts
from deploy import places
from deploy.lab_host import LabHost
from guests import far, services
from guests.edits import Edit
from guests.models import Guest
from hosts.models import Host, Network, Pool, Volume
from kvmweb.accounts.models import User
from kvmweb.operations import services as operations
from kvmweb.operations import tasks
from kvmweb.operations.models import Operation
from kvmweb.virt import connection as virt
from tests.waiting import until

pytestmark = [
    pytest.mark.lab,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("no_warm_children"),
]
DEMO_MIB = 96
_BOOTED_KIB = 140 * 1024
_WRITER = Path("/usr/lib/libvirt/libvirt_iohelper")


@pytest.fixture
def home(kvm: LabHost, db: None) -> Host:
    """Its row, reached by its socket."""
    return Host.objects.create(
        name="kvm1",
        transport="unix",
        socket_path=str(kvm.socket_path),
        state=Host.State.UP,
        arch="x86_64",
        virt_types=["qemu"],
    )


@pytest.fixture
def web(kvm: LabHost, home: Host) -> Iterator[Guest]:
    """A guest that runs, with some memory to save."""
    uuid = kvm.define_demo("unlucky", memory_mib=DEMO_MIB, network="")
    yield Guest.objects.create(
        uuid=uuid, name="unlucky", host=home, state="running", persistent=True
    )
    if kvm.virsh("domstate", str(uuid)) != "shut off":
        kvm.virsh("destroy", str(uuid))
    kvm.virsh("undefine", str(uuid), "--managed-save")


def performed(operation: Operation) -> Operation:
    """The operation, once this process has done it as a worker would."""
    tasks.run(str(operation.pk))
    operation.refresh_from_db()
    return operation


def orphaned(operation: Operation) -> None:
    """Its worker began it and died a minute ago."""
    Operation.objects.filter(pk=operation.pk).update(
        state=Operation.State.RUNNING,
        worker="gone:1:dead",
        attempts=1,
        lease_until=timezone.now() - timedelta(minutes=1),
    )


def asked(guest: Guest, action: str, by: User, state: str = "running") -> Operation:
    """The operation for an action, whatever the row said before."""
    Guest.objects.filter(pk=guest.pk).update(state=state)
    guest.refresh_from_db()
    return services.act(guest, action, by=by)


def test_what_was_true_when_the_worker_died_ends_well_and_is_not_done_twice(
    kvm: LabHost, web: Guest, admin: User
) -> None:
    for action, before in (("start", "shutoff"), ("resume", "paused")):
        operation = asked(web, action, admin, before)
        orphaned(operation)
        pid = kvm.qemu_pid("unlucky")
        assert performed(operation).state == "succeeded", operation.error_message
        assert kvm.qemu_pid("unlucky") == pid


def test_what_was_not_begun_when_the_worker_died_is_done(
    kvm: LabHost, web: Guest, admin: User
) -> None:
    operation = asked(web, "pause", admin)
    orphaned(operation)
    assert performed(operation).state == "succeeded", operation.error_message
    assert kvm.virsh("domstate", "unlucky") == "paused"


def test_a_reset_that_may_have_happened_is_not_done_again(
    web: Guest, admin: User
) -> None:
    operation = asked(web, "reset", admin)
    orphaned(operation)
    assert performed(operation).state == "failed"
    assert "running now" in operation.error_message


def test_doing_what_is_so_already_is_no_error(
    kvm: LabHost, web: Guest, admin: User
) -> None:
    assert performed(asked(web, "start", admin, "shutoff")).state == "succeeded"
    kvm.virsh("destroy", "unlucky")
    assert performed(asked(web, "force-off", admin)).state == "succeeded"
    assert performed(asked(web, "shutdown", admin)).state == "succeeded"


def test_a_host_that_does_not_answer_is_asked_afterwards(
    kvm: LabHost, web: Guest, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kvmweb.virt.domains.pause.deadline_s", 1.0)
    operation = asked(web, "pause", admin)
    kvm.pause_libvirtd()
    waker = threading.Timer(4, kvm.resume_libvirtd)
    waker.start()
    try:
        performed(operation)
    finally:
        waker.join()
        kvm.resume_libvirtd()
    # Hung while connecting, nothing was asked; hung in the call, it came true late.
    state = kvm.virsh("domstate", "unlucky")
    assert (operation.state == "succeeded") == (state == "paused")
    assert operation.message


def test_what_nobody_can_say_is_said(
    kvm: LabHost, web: Guest, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(far, "ASK_S", 2.0)
    monkeypatch.setattr("kvmweb.virt.domains.state.deadline_s", 1.0)
    monkeypatch.setattr("kvmweb.virt.domains.force_off.deadline_s", 1.0)
    with virt.connect(_address(web)):
        pass  # warm: the hang comes in the middle of the call
    operation = asked(web, "force-off", admin)
    kvm.pause_libvirtd()
    try:
        performed(operation)
    finally:
        kvm.resume_libvirtd()
    assert operation.state == "failed"
    assert operation.error_code in {"host_timeout", "host_unreachable"}


def _address(guest: Guest) -> Any:
    from hosts.services import address_of

    assert guest.host
    return address_of(guest.host)


def _resident_kib(pid: int) -> int:
    """How much of the host's memory a process has."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize() // 1024


class _HeldBack:
    """Saving that does not get on: what writes for libvirt waits before it begins."""

    def __init__(self, kvm: LabHost) -> None:
        # With little in memory QEMU would hang in the last stage, which nobody can stop.
        until(lambda: _resident_kib(kvm.qemu_pid("unlucky")) > _BOOTED_KIB, 60)
        self._kvm = kvm
        self._place = kvm.root / "held-back"

    def __enter__(self) -> "_HeldBack":
        self._place.mkdir()
        real, waiting = self._place / "real", self._place / "waiting"
        shutil.copy(_WRITER, real)
        waiting.write_text(
            f"#!/bin/sh\ntouch {self._place}/begun\n"
            f"while [ ! -e {self._place}/go ]; do sleep 0.05; done\n"
            f'exec {real} "$@"\n'
        )
        waiting.chmod(0o755)
        self._kvm.run("mount", "--bind", str(waiting), str(_WRITER))
        return self

    def __exit__(self, *_: object) -> None:
        self.let_go()
        self._kvm.run("umount", "-l", str(_WRITER))
        shutil.rmtree(self._place)

    @property
    def begun(self) -> bool:
        """Whether something is held back now."""
        return (self._place / "begun").exists()

    def let_go(self) -> None:
        """Let it write on."""
        (self._place / "go").touch()


def test_saving_can_be_stopped_and_the_guest_goes_on(
    kvm: LabHost, web: Guest, admin: User
) -> None:
    operation = asked(web, "save", admin)
    worker = threading.Thread(target=_in_thread, args=(operation,))
    with _HeldBack(kvm) as held:
        worker.start()
        until(lambda: held.begun)
        operations.cancel(Operation.objects.get(pk=operation.pk), by=admin)
        until(lambda: _phase(operation) == "stopping", 20)
        held.let_go()
        worker.join(60)
    operation.refresh_from_db()
    assert operation.state == "cancelled", operation.message
    assert "goes on as it was" in operation.message
    assert kvm.virsh("domstate", "unlucky") == "running"


def test_a_save_that_outlived_its_worker_is_waited_for(
    kvm: LabHost, web: Guest, admin: User
) -> None:
    operation = asked(web, "save", admin)
    orphaned(operation)
    saving = threading.Thread(target=kvm.virsh, args=("managedsave", "unlucky"))
    with _HeldBack(kvm) as held:
        saving.start()
        until(lambda: held.begun)
        worker = threading.Thread(target=_in_thread, args=(operation,))
        worker.start()
        until(lambda: "without its worker" in _phase(operation), 20)
        held.let_go()
        worker.join(60)
    saving.join(30)
    operation.refresh_from_db()
    assert operation.state == "succeeded", operation.error_message
    assert kvm.virsh("domstate", "unlucky") == "shut off"


def _in_thread(operation: Operation) -> None:
    try:
        tasks.run(str(operation.pk))
    finally:
        connection.close()


def _phase(operation: Operation) -> str:
    return Operation.objects.get(pk=operation.pk).phase


def test_a_right_lost_meanwhile_stops_what_was_asked_for(
    kvm: LabHost, web: Guest, user: User
) -> None:
    Guest.objects.update(owner=user)
    web.refresh_from_db()
    operation = asked(web, "force-off", user)
    Guest.objects.update(owner=None)
    assert performed(operation).state == "failed"
    assert kvm.virsh("domstate", "unlucky") == "running"


def test_a_guest_that_runs_by_now_is_not_deleted(
    kvm: LabHost, web: Guest, admin: User
) -> None:
    Guest.objects.update(state="shutoff")
    web.refresh_from_db()
    operation = services.delete(web, volumes=False, by=admin)
    assert performed(operation).state == "failed"
    assert "running by now" in operation.error_message
    assert kvm.virsh("domstate", "unlucky") == "running"


def test_a_deletion_goes_on_where_its_worker_died(
    kvm: LabHost, web: Guest, admin: User
) -> None:
    doomed = kvm.define_demo("doomed", running=False, disk_mib=1, network="")
    path = "/var/lib/libvirt/images/doomed.qcow2"
    kvm.virsh("pool-refresh", "default")
    pool = Pool.objects.create(
        host=web.host,
        uuid=kvm.virsh("pool-uuid", "default"),
        name="default",
        type="dir",
        active=True,
        autostart=True,
        persistent=True,
        target="/var/lib/libvirt/images",
    )
    Volume.objects.create(pool=pool, name="doomed.qcow2", key=path, path=path)
    disk = {"target": "vda", "device": "disk", "pool": "", "volume": "", "path": path}
    disk |= {"readonly": False, "shareable": False, "capacity_bytes": None}
    guest = Guest.objects.create(
        uuid=doomed, name="doomed", host=web.host, state="shutoff", disks=[disk]
    )
    operation = services.delete(guest, volumes=True, by=admin)
    orphaned(operation)
    kvm.virsh("undefine", "doomed")  # so far it came
    Guest.objects.filter(pk=doomed).update(state="gone")
    assert performed(operation).state == "succeeded", operation.error_message
    assert operation.result == {"deleted": [path], "kept": []}
    assert not (kvm.root / path.lstrip("/")).exists()
    Volume.objects.all().delete()
    orphaned(operation)  # and once more, at the very end
    assert performed(operation).state == "succeeded", operation.error_message
    assert operation.result == {"deleted": [path], "kept": []}


def test_tags_reach_the_document_although_the_guest_is_busy(
    kvm: LabHost, web: Guest, admin: User
) -> None:
    Operation.objects.create(
        kind="guest.save", guest=web.pk, state="running", worker="x"
    )
    assert services.edit(web, Edit(tags=("a", "b")), by=admin) is None
    performed(Operation.objects.get(kind="guest.label"))
    assert "<kvmweb:tag>a</kvmweb:tag>" in kvm.virsh("dumpxml", "unlucky")


def test_a_demo_guest_is_made_with_a_screen_and_a_network(
    kvm: LabHost, home: Host, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "deploy.demo.parts_for_qemu", lambda _: demo_parts.parts(places.data_dir())
    )
    Network.objects.create(
        host=home,
        uuid=kvm.virsh("net-uuid", "default"),
        name="default",
        active=True,
        autostart=True,
        persistent=True,
    )
    Host.objects.update(transport="local")
    operation = services.start_demo(by=admin)
    Host.objects.update(transport="unix")
    assert performed(operation).state == "succeeded", operation.error_message
    uuid = str(operation.guest)
    xml = kvm.virsh("dumpxml", uuid)
    assert (operation.guest_name, kvm.virsh("domname", uuid)) == ("demo-1", "demo-1")
    assert "<domain type='qemu'" in xml
    assert "network='default'" in xml
    assert "listen='127.0.0.1'" in xml
    orphaned(operation)  # its worker died at the very end
    assert performed(operation).state == "succeeded"
    kvm.virsh("destroy", uuid)
    kvm.virsh("undefine", uuid)


def test_a_demo_guest_that_cannot_start_is_taken_away(
    kvm: LabHost, home: Host, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = Path("/nowhere/vmlinuz"), Path("/nowhere/initrd")
    monkeypatch.setattr("deploy.demo.parts_for_qemu", lambda _: nowhere)
    Host.objects.update(transport="local")
    operation = services.start_demo(by=admin)
    Host.objects.update(transport="unix")
    assert performed(operation).state == "failed"
    assert "cannot start" in operation.error_message
    assert str(operation.guest) not in kvm.virsh("list", "--all", "--uuid")
