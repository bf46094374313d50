"""Volumes that are half made or in the trash: hidden, and gone when they are due."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from hosts.models import Host, Volume
from hosts.recorders import tell
from hosts.services import address_of
from hosts.storage import holdings, tidying
from hosts.storage.models import Holding
from kvmweb.accounts.models import AuditEntry
from kvmweb.errors import Conflict
from kvmweb.operations import tasks
from kvmweb.operations.models import Operation
from kvmweb.operations.services import submit
from kvmweb.virt import connection, storage, volumes
from tests.hosts.conftest import pool, volume
from tests.hosts.volumes import home, look, named

pytestmark = pytest.mark.usefixtures("redis_server", "no_children_stay")


def test_half_a_volume_cannot_be_chosen(host: Host, operator: Any) -> None:
    row = named(host, "golden.qcow2")
    assert row in holdings.choosable(operator, host)
    operation = submit("guest.start-demo", by=operator)
    holdings.building(host, row.path, operation)
    assert row not in holdings.choosable(operator, host)
    with pytest.raises(Conflict, match="not whole") as caught:
        holdings.need_ready(row)
    assert caught.value.operation == str(operation.pk)
    holdings.ready(host, row.path, format="raw")
    assert row in holdings.choosable(operator, host)
    assert holdings.format_of(row) == "raw"  # whatever its first bytes look like


def test_what_could_not_be_deleted_is_as_it_was(host: Host, as_operator: Any) -> None:
    """The host refuses in the last moment; nothing is left marked."""
    row = named(host, "clone.qcow2")
    answer = as_operator.delete(f"/api/v1/volumes/{row.pk}/?now=true")
    with connection.connect(address_of(host)) as there:
        there.run(volumes.create, host.pools.get().uuid, "top.qcow2", **on(row))
    Volume.objects.filter(name="top.qcow2").delete()
    tasks.run(answer.json()["id"])
    assert "top.qcow2" in Operation.objects.get().error_message
    holdings.need_ready(row)


def on(row: Volume) -> dict[str, Any]:
    """A volume that stands on this one."""
    below = {"backing_path": row.path, "backing_format": "qcow2"}
    return {"format": "qcow2", "capacity_bytes": 1 << 20} | below


def test_nor_can_it_on_another_host_of_the_same_storage(
    host: Host, operator: Any
) -> None:
    other = Host.objects.create(name="kvm2", transport="test", state="up")
    shared = pool(
        volume("half.img", path="/pool/half.img"), type="netfs", target="/pool"
    )
    tell("pools", other, (shared,))
    theirs = named(other, "half.img")
    operation = submit("guest.start-demo", by=operator)
    holdings.building(host, theirs.path, operation)
    assert theirs not in holdings.choosable(operator, other)
    with pytest.raises(Conflict):
        holdings.need_ready(theirs)


def test_a_user_chooses_no_volume(host: Host, user: Any) -> None:
    assert not holdings.choosable(user, host).exists()


def test_the_trash_and_out_of_it(host: Host, as_operator: Any) -> None:
    row = named(host, "clone.qcow2")
    answer = as_operator.delete(f"/api/v1/volumes/{row.pk}/")
    tasks.run(answer.json()["id"])
    said = as_operator.get(f"/api/v1/volumes/{row.pk}/").json()
    assert said["state"] == "trash"
    due = Holding.objects.get().due_at
    assert due is not None
    assert timedelta(days=6, hours=23) < due - timezone.now() < timedelta(days=7)
    listed = as_operator.get(home(host)).json()["items"]
    assert "clone.qcow2" not in {each["name"] for each in listed}
    for state in ("trash", "all"):
        listed = as_operator.get(f"{home(host)}?state={state}").json()["items"]
        assert "clone.qcow2" in {each["name"] for each in listed}
    again = as_operator.delete(f"/api/v1/volumes/{row.pk}/")
    assert (again.status_code, "already" in again.json()["detail"]) == (409, True)
    back = as_operator.post(f"/api/v1/volumes/{row.pk}/restore/")
    assert (back.status_code, back.json()["state"]) == (200, "ready")
    assert AuditEntry.objects.filter(action="volume.restore").count() == 1
    assert as_operator.post(f"/api/v1/volumes/{row.pk}/restore/").status_code == 409


def test_the_trash_is_emptied_when_it_is_due(
    host: Host, as_operator: Any, operator: Any
) -> None:
    row = named(host, "clone.qcow2")
    tasks.run(as_operator.delete(f"/api/v1/volumes/{row.pk}/").json()["id"])
    assert tidying.empty_trash() == 0
    Holding.objects.update(due_at=timezone.now())
    assert tidying.empty_trash() == 1
    operation = Operation.objects.first()
    assert operation is not None
    assert (operation.kind, operation.author) == ("volume.delete", "")
    tasks.run(str(operation.pk))
    operation.refresh_from_db()
    assert operation.state == "succeeded", operation.error_message
    with connection.connect(address_of(host)) as there:
        assert there.run(storage.look_volume, row.path) is None
    assert row not in holdings.choosable(operator, host)  # its row is old
    look(host)
    assert not Holding.objects.exists()
    assert not Volume.objects.filter(pk=row.pk).exists()


def test_what_is_used_again_is_not_emptied(host: Host, as_operator: Any) -> None:
    """Somebody gave it to a guest by virsh; that it is in the trash harms nobody."""
    row = named(host, "off.img")
    Holding.objects.create(
        host=host, path=row.path, state="trash", due_at=timezone.now()
    )
    assert tidying.empty_trash() == 1
    tasks.run(str(Operation.objects.get().pk))
    held = Holding.objects.get()
    assert "is used by off" in held.problem
    assert held.due_at is not None
    assert held.due_at > timezone.now()
    assert tidying.empty_trash() == 0  # not again and again


def test_what_was_taken_out_meanwhile_is_not_deleted(
    host: Host, as_operator: Any
) -> None:
    row = named(host, "clone.qcow2")
    Holding.objects.create(
        host=host, path=row.path, state="trash", due_at=timezone.now()
    )
    assert tidying.empty_trash() == 1
    Holding.objects.all().delete()
    tasks.run(str(Operation.objects.get().pk))
    assert Operation.objects.get().state == "failed"
    with connection.connect(address_of(host)) as there:
        assert there.run(storage.look_volume, row.path) is not None


def test_what_a_dead_operation_left_is_deleted(host: Host) -> None:
    row = named(host, "clone.qcow2")
    maker = submit("guest.start-demo", by=None)
    holdings.building(host, row.path, maker)
    Holding.objects.update(since=timezone.now() - timedelta(hours=1))
    assert tidying.clear_unfinished() == 0  # it goes on
    Operation.objects.update(state="failed", result={"begun": True})
    assert tidying.clear_unfinished() == 1
    tasks.run(str(Operation.objects.get(kind="volume.delete").pk))
    with connection.connect(address_of(host)) as there:
        assert there.run(storage.look_volume, row.path) is None


def test_what_an_operation_never_began_is_somebody_elses(host: Host) -> None:
    row = named(host, "clone.qcow2")
    maker = submit("guest.start-demo", by=None)
    holdings.building(host, row.path, maker)
    Holding.objects.update(since=timezone.now() - timedelta(hours=1))
    Operation.objects.update(state="failed")
    assert tidying.clear_unfinished() == 0
    assert not Holding.objects.exists()
    assert Volume.objects.filter(pk=row.pk).exists()


def test_marks_go_with_their_volumes(host: Host) -> None:
    for name in ("clone.qcow2", "a;touch x"):
        holdings.ready(host, named(host, name).path, format="raw")
    with connection.connect(address_of(host)) as there:
        there.run(storage.delete_volume, "/pool/clone.qcow2")
    look(host)
    assert [row.path for row in Holding.objects.all()] == ["/pool/a;touch x"]
    dark = pool(uuid=host.pools.get().uuid, active=False, target="/pool")
    tell("pools", host, (dark,))  # nobody can look into it
    assert Holding.objects.exists()


def test_a_host_that_does_not_know_its_pools_yet_ends_no_mark(host: Host) -> None:
    """A libvirtd that was just started may say for a moment that it has none."""
    row = named(host, "clone.qcow2")
    Holding.objects.create(host=host, path=row.path, state="building")
    tell("pools", host, ())
    tell("pools", host, (pool(uuid=uuid4(), name="other", target="/other"),))
    assert Holding.objects.filter(path=row.path).exists()
    look(host)
    with pytest.raises(Conflict, match="not whole"):
        holdings.need_ready(named(host, "clone.qcow2"))
