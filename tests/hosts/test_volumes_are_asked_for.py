"""Volumes and pools are asked for: what is odd is refused at its field."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from guests.models import Guest
from hosts.models import Host, Volume
from hosts.recorders import tell
from hosts.services import address_of
from hosts.storage import making
from hosts.storage.models import Holding
from kvmweb.operations import tasks
from kvmweb.operations.models import Operation
from kvmweb.virt import connection, storage
from tests.hosts.conftest import pool
from tests.hosts.volumes import ask, home, look, named

pytestmark = pytest.mark.usefixtures("redis_server", "no_children_stay")


def watched(host: Host) -> Callable[..., Any]:
    """Waiting for a row, with a watcher that looks at once."""

    def until_row(find: Callable[[], Any], **_about: Any) -> Any:
        look(host)
        return find()

    return until_row


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
