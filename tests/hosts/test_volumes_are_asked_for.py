"""Volumes and pools are asked for: what is odd is refused, what is half made hidden."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from guests.models import Guest
from hosts.models import Host, Volume
from hosts.recorders import tell
from hosts.services import address_of
from hosts.storage import holdings, making, tidying
from hosts.storage.models import Holding
from kvmweb.accounts.models import AuditEntry
from kvmweb.errors import Conflict
from kvmweb.operations import tasks
from kvmweb.operations.models import Operation
from kvmweb.operations.services import submit
from kvmweb.virt import connection, storage, volumes
from tests.hosts.conftest import pool, volume

HOST_XML = Path(__file__).parents[1] / "data/virt/host.xml"
pytestmark = pytest.mark.usefixtures("redis_server")


@pytest.fixture(scope="module", autouse=True)
def no_children_stay() -> Iterator[None]:
    """What held the hosts of the tests ends with them."""
    yield
    connection.close_all()


@pytest.fixture
def host(db: None, tmp_path: Path) -> Host:
    """A host of its own, whose volumes have been seen, and no guest."""
    path = tmp_path / "host.xml"
    path.write_text(HOST_XML.read_text())
    row = Host.objects.create(
        name="kvm1", transport="test", socket_path=str(path), state="up"
    )
    look(row)
    return row


def look(host: Host) -> None:
    """What the watcher does when its host has news."""
    with connection.connect(address_of(host)) as there:
        tell("pools", host, there.run(storage.look))


def watched(host: Host) -> Callable[..., Any]:
    """Waiting for a row, with a watcher that looks at once."""

    def until_row(find: Callable[[], Any], **_about: Any) -> Any:
        look(host)
        return find()

    return until_row


def home(host: Host) -> str:
    return f"/api/v1/pools/{host.pools.get().pk}/volumes/"


def ask(client: Any, path: str, **body: Any) -> Any:
    return client.post(path, body, content_type="application/json")


def named(host: Host, name: str) -> Volume:
    return Volume.objects.select_related("pool__host").get(pool__host=host, name=name)


def test_a_volume_is_made(
    host: Host, as_operator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = ask(as_operator, home(host), name="new.qcow2", capacity_bytes=1 << 30)
    assert answer.status_code == 202
    (held,) = Holding.objects.all()
    assert (held.path, held.state) == ("/pool/new.qcow2", "building")
    monkeypatch.setattr(making, "until_row", watched(host))
    tasks.run(answer.json()["id"])
    operation = Operation.objects.get()
    assert operation.state == "succeeded", operation.error_message
    row = named(host, "new.qcow2")
    assert operation.result["volume"] == row.pk
    assert operation.result["path"] == "/pool/new.qcow2"
    said = as_operator.get(f"/api/v1/volumes/{row.pk}/").json()
    assert (said["state"], said["format"], said["used_by"]) == ("ready", "qcow2", [])


def test_what_is_wrong_inside_a_source_is_said_by_the_name_of_its_field(
    host: Host, as_admin: Any
) -> None:
    body = {"name": "far", "type": "netfs", "target": "/far", "source": {"host": 7}}
    answer = as_admin.post(
        f"/api/v1/hosts/{host.pk}/pools/", body, content_type="application/json"
    )
    assert answer.status_code == 422
    assert {field.split(".")[-1] for field in answer.json()["errors"]} == {
        "host",
        "source",
    }


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "-rf"}, "name"),
        ({"name": "a/b"}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"format": "vdi"}, "format"),
        ({"capacity_bytes": 0}, "capacity_bytes"),
        ({"capacity_bytes": 2**53 + 1}, "capacity_bytes"),
        ({"capacity_bytes": -1}, "capacity_bytes"),
    ],
)
def test_what_makes_no_sense_is_refused_at_its_field(
    host: Host, as_operator: Any, body: dict[str, Any], field: str
) -> None:
    plain = {"name": "new", "format": "raw", "capacity_bytes": 1024}
    answer = ask(as_operator, home(host), **plain | body)
    assert answer.status_code == 422
    assert list(answer.json()["errors"]) == [field]
    assert not Operation.objects.exists()
    assert not Holding.objects.exists()


def test_a_name_that_is_taken_or_being_made(host: Host, as_operator: Any) -> None:
    body = {"format": "raw", "capacity_bytes": 1024}
    taken = ask(as_operator, home(host), name="web.qcow2", **body)
    assert (taken.status_code, taken.json()["detail"]) == (
        409,
        "pool has a volume web.qcow2 already.",
    )
    first = ask(as_operator, home(host), name="new", **body)
    again = ask(as_operator, home(host), name="new", **body)
    assert again.status_code == 409
    assert again.json()["operation"] == first.json()["id"]


def test_what_was_there_unseen_is_never_taken_for_ours(
    host: Host, as_operator: Any
) -> None:
    """A volume of this name came to the host a moment ago: it is not touched."""
    Volume.objects.filter(name="golden.qcow2").delete()
    body = {"name": "golden.qcow2", "format": "qcow2", "capacity_bytes": 1 << 20}
    answer = ask(as_operator, home(host), **body)
    tasks.run(answer.json()["id"])
    operation = Operation.objects.get()
    assert "already" in operation.error_message
    assert not Holding.objects.exists()
    with connection.connect(address_of(host)) as there:
        found = there.run(storage.look_volume, "/pool/golden.qcow2")
    assert found.capacity_bytes == 2097152


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


def test_volumes_that_nobody_uses_are_found(host: Host, as_operator: Any) -> None:
    Guest.objects.create(
        uuid=uuid4(), name="web", host=host, state="running", uses=["/pool/web.qcow2"]
    )
    Guest.objects.create(
        uuid=uuid4(), name="db", host=host, state="shutoff", uses=["pool/named.img"]
    )
    path = f"/api/v1/hosts/{host.pk}/volumes/"
    unused = as_operator.get(f"{path}?unused=true&limit=100").json()
    names = {each["name"] for each in unused["items"]}
    assert names == {"clone.qcow2", "off.img", "before.img", "vmlinuz", "a;touch x"}
    used = as_operator.get(f"{path}?unused=false&limit=100").json()["items"]
    by_name = {each["name"]: [it["name"] for it in each["used_by"]] for each in used}
    assert by_name == {
        "web.qcow2": ["web"],
        "base.qcow2": ["the volume web.qcow2"],
        "golden.qcow2": ["the volume clone.qcow2"],
        "named.img": ["db"],
    }


def test_lists_cost_the_same_however_long_they_are(
    host: Host, as_operator: Any, django_assert_max_num_queries: Any
) -> None:
    where = host.pools.get()
    Volume.objects.bulk_create(
        Volume(pool=where, name=f"v{n}", key=f"v{n}", path=f"/pool/v{n}")
        for n in range(500)
    )
    with django_assert_max_num_queries(16):
        said = as_operator.get(f"{home(host)}?limit=500").json()
    assert len(said["items"]) == 500
    with django_assert_max_num_queries(20):
        assert as_operator.get(f"/pools/{where.pk}/").status_code == 200


def test_a_volume_grows_and_never_shrinks(host: Host, as_operator: Any) -> None:
    row = named(host, "golden.qcow2")
    less = as_operator.patch(
        f"/api/v1/volumes/{row.pk}/",
        {"capacity_bytes": 512},
        content_type="application/json",
    )
    assert less.status_code == 422
    assert "never shrinks" in less.json()["detail"]


def test_copies_stay_on_their_host(host: Host, as_operator: Any) -> None:
    other = Host.objects.create(name="kvm2", transport="test", state="up")
    tell("pools", other, (pool(),))
    row = named(host, "golden.qcow2")
    answer = ask(
        as_operator,
        f"/api/v1/volumes/{row.pk}/clone/",
        name="copy",
        pool=other.pools.get().pk,
    )
    assert (answer.status_code, list(answer.json()["errors"])) == (422, ["pool"])


def test_a_pool_that_this_host_cannot_have(host: Host, as_admin: Any) -> None:
    Host.objects.update(capabilities={"pool_types": ["dir", "netfs"]})
    path = f"/api/v1/hosts/{host.pk}/pools/"
    answer = ask(as_admin, path, name="ceph", type="rbd", source="vms@mon1")
    assert answer.status_code == 409
    assert answer.json()["code"] == "unsupported"
    assert "no pools of type rbd" in answer.json()["detail"]
    wrong = ask(as_admin, path, name="x", type="dir", target="/etc")
    assert (wrong.status_code, list(wrong.json()["errors"])) == (422, ["target"])
    taken = ask(as_admin, path, name="y", type="dir", target="/pool/")
    assert (taken.status_code, taken.json()["detail"]) == (
        409,
        "/pool is the pool pool of kvm1 already.",
    )


def test_a_host_that_is_down_takes_nothing(host: Host, as_operator: Any) -> None:
    Host.objects.update(state="down", error="Gone.")
    answer = ask(as_operator, home(host), name="a", format="raw", capacity_bytes=1024)
    assert (answer.status_code, "is down since" in answer.json()["detail"]) == (
        409,
        True,
    )


def test_an_operator_makes_no_pools(host: Host, as_operator: Any) -> None:
    path = f"/api/v1/hosts/{host.pk}/pools/"
    answer = ask(as_operator, path, name="x", type="dir", target="/srv/x")
    assert answer.status_code == 403


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
