"""Snapshots by the API and on pages: seen, asked for, refused."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client

from guests.models import Guest
from guests.snapshots import queries
from guests.snapshots.models import Snapshot
from hosts.models import Host, Pool, Volume
from hosts.recorders import tell
from hosts.storage.models import Claim
from kvmweb.operations.models import Operation
from kvmweb.virt.snapshot_types import SnapshotDiskFacts, SnapshotFacts
from kvmweb.virt.types import DomainState
from tests.guests.conftest import disk, domain

JSON = "application/json"
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
WEB = UUID("0b5a7c7e-4b6c-4c8e-9a53-0c6d6f1d2a11")


@pytest.fixture(autouse=True)
def _redis(redis_server: str) -> None:
    """Numbers and news need one."""


def kept(name: str, parent: str = "", after_h: int = 0, **about: Any) -> SnapshotFacts:
    """What a host says of a snapshot."""
    plain: dict[str, Any] = {
        "current": False,
        "state": "shutoff",
        "description": "",
        "kind": "external",
        "memory": False,
        "memory_path": "",
        "disks": (
            SnapshotDiskFacts(
                "vda", "external", "/images/web.qcow2", "qcow2", f"/images/{name}.qcow2"
            ),
        ),
    }
    at = BEGAN + timedelta(hours=after_h)
    return SnapshotFacts(name=name, parent=parent, created_at=at, **(plain | about))


@pytest.fixture
def web(kvm1: Host) -> Guest:
    """A guest that is off, with three snapshots on two branches."""
    pool = Pool.objects.create(
        host=kvm1,
        uuid=uuid4(),
        name="default",
        type="dir",
        active=True,
        autostart=True,
        persistent=True,
        target="/images",
    )
    for name, size in (("web", 5), ("a", 1), ("c", 3)):
        Volume.objects.create(
            pool=pool,
            name=f"{name}.qcow2",
            key=name,
            path=f"/images/{name}.qcow2",
            allocation_bytes=size * 1024**2,
        )
    seen(kvm1, kept("a"), kept("b", "a", 1), kept("c", "a", 2, current=True))
    return Guest.objects.select_related("host").get(pk=WEB)


def seen(host: Host, *snapshots: SnapshotFacts, **about: Any) -> None:
    """The host says that the guest has these."""
    told = domain(
        "web",
        uuid=WEB,
        disks=(disk("/images/web.qcow2"),),
        snapshots=len(snapshots),
        snapshot_list=snapshots,
        **about,
    )
    tell("domain", host, told, "")


def test_the_tree_is_drawn_from_its_roots(web: Guest) -> None:
    assert [(it.name, it.depth) for it in queries.tree(web)] == [
        ("a", 0),
        ("b", 1),
        ("c", 1),
    ]


def test_a_circle_and_a_lost_parent_are_drawn_flat(kvm1: Host) -> None:
    seen(kvm1, kept("a", "b"), kept("b", "a", 1), kept("c", "gone", 2))
    guest = Guest.objects.get(pk=WEB)
    assert {it.name for it in queries.tree(guest)} == {"a", "b", "c"}


def test_what_a_host_says_no_more_is_gone(web: Guest, kvm1: Host) -> None:
    seen(kvm1, kept("a", description="new words"))
    (row,) = Snapshot.objects.all()
    assert (row.name, row.description) == ("a", "new words")
    seen(kvm1)
    assert not Snapshot.objects.exists()


def test_a_twin_on_another_host_does_not_change_them(web: Guest, kvm2: Host) -> None:
    seen(kvm2, kept("other"))
    assert "other" not in {it.name for it in Snapshot.objects.all()}
    tell("look", kvm2, [], complete=True)
    assert Snapshot.objects.count() == 3


def test_the_same_again_writes_nothing(
    web: Guest, kvm1: Host, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    from guests.snapshots import facts

    told = domain("web", uuid=WEB, snapshot_list=(kept("a"), kept("b", "a", 1)))
    facts.record_domain(kvm1, told, "")
    with django_assert_max_num_queries(2):
        facts.record_domain(kvm1, told, "")
    plain = domain("other")
    with django_assert_max_num_queries(1):
        facts.record_domain(kvm1, plain, "")


def test_the_api_tells_them_with_their_sizes(web: Guest, as_operator: Client) -> None:
    said = as_operator.get(f"/api/v1/guests/{WEB}/snapshots/").json()
    assert said["count"] == 3
    first, second, third = said["items"]
    assert (first["name"], first["parent"], first["current"]) == ("a", None, False)
    assert (third["parent"], third["current"]) == ("a", True)
    assert [it["size_bytes"] for it in (first, second, third)] == [
        1024**2,
        None,
        3 * 1024**2,
    ]
    assert first["created_at"] == "2026-01-01T00:00:00.000Z"
    assert "/images" not in str(said)


def test_one_is_asked_for(web: Guest, as_operator: Client) -> None:
    said = as_operator.post(
        f"/api/v1/guests/{WEB}/snapshots/",
        {"name": "before-upgrade", "description": "why"},
        JSON,
    )
    assert said.status_code == 202, said.content
    operation = Operation.objects.get(pk=said.json()["id"])
    assert operation.kind == "guest.snapshot"
    assert operation.params == {
        "name": "before-upgrade",
        "description": "why",
        "memory": False,
    }
    claim = Claim.objects.get(operation=operation)
    assert (claim.path, claim.destroys) == ("/images/web.qcow2", False)


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"name": "-rf"}, 422, "letters"),
        ({"name": "a/b"}, 422, "letters"),
        ({"name": "a\nb"}, 422, "letters"),
        ({"name": "Ä"}, 422, "letters"),
        ({"name": ""}, 422, "letters"),
        ({"name": "x", "description": "\u0001"}, 422, "character"),
        ({"name": "a"}, 409, "already"),
        ({"name": "x", "memory": True}, 409, "no memory"),
        ({"name": "x", "quiet": True}, 422, "quiet"),
    ],
)
def test_what_cannot_be_is_refused(
    web: Guest, as_operator: Client, body: dict[str, Any], status: int, said: str
) -> None:
    answer = as_operator.post(f"/api/v1/guests/{WEB}/snapshots/", body, JSON)
    assert answer.status_code == status
    assert said in answer.content.decode()
    assert not Operation.objects.exists()


def test_going_back_and_deleting_are_asked_for_by_name(
    web: Guest, as_operator: Client
) -> None:
    there = f"/api/v1/guests/{WEB}/snapshots"
    assert as_operator.post(f"{there}/none/revert/").status_code == 404
    assert as_operator.delete(f"{there}/none/").status_code == 404
    said = as_operator.post(f"{there}/a/revert/")
    assert said.status_code == 202
    busy = as_operator.delete(f"{there}/a/")
    assert (busy.status_code, "revert" in busy.json()["detail"]) == (409, True)
    Operation.objects.update(state="succeeded")
    said = as_operator.delete(f"{there}/b/")
    assert said.status_code == 202
    destroyed = Claim.objects.filter(operation=said.json()["id"], destroys=True)
    assert "/images/web.qcow2" in {it.path for it in destroyed}


def test_odd_names_of_hosts_are_shown_and_can_be_named(
    web: Guest, kvm1: Host, as_operator: Client
) -> None:
    name = "<b>ü x\n?#%"
    lies = ("a/../b", "..", "")
    seen(kvm1, kept(name), *(kept(lie) for lie in lies))
    page = as_operator.get(f"/guests/{WEB}/").content.decode()
    assert "&lt;b&gt;ü x\n?#%" in page
    assert ">a/../b<" in page
    assert page.count("/revert/") == 1  # no link can name the others
    from urllib.parse import quote

    address = f"/guests/{WEB}/snapshots/{quote(name, safe='')}/revert/"
    assert address in page
    assert as_operator.get(address).status_code == 200


def test_users_see_them_and_may_not_change_them(
    web: Guest, as_user: Client, user: Any
) -> None:
    there = f"/api/v1/guests/{WEB}/snapshots/"
    assert as_user.get(there).status_code == 404
    Guest.objects.update(owner=user)
    assert as_user.get(there).json()["count"] == 3
    assert as_user.post(there, {"name": "x"}, JSON).status_code == 403
    page = as_user.get(f"/guests/{WEB}/").content.decode()
    assert "the guest goes on from here" in page
    assert "New snapshot" not in page


def test_going_back_says_what_is_lost_and_asks_for_the_name(
    web: Guest, as_operator: Client
) -> None:
    Guest.objects.update(state=DomainState.RUNNING)
    address = f"/guests/{WEB}/snapshots/a/revert/"
    page = as_operator.get(address).content.decode()
    assert "wrote to vda since the snapshot c" in page
    assert "about 3 MiB" in page
    assert "holds in memory" in page
    assert "<strong>b</strong>, <strong>c</strong>" in page
    said = as_operator.post(address, {"name": "wrong"})
    assert said.status_code == 422
    assert not Operation.objects.exists()
    said = as_operator.post(address, {"name": "web"})
    assert said.status_code == 302
    assert Operation.objects.get().kind == "guest.revert"


def test_a_snapshot_is_made_and_deleted_on_pages(
    web: Guest, as_operator: Client
) -> None:
    page = as_operator.get(f"/guests/{WEB}/snapshots/new/").content.decode()
    assert "moves only on storage that both hosts see" in page
    address = f"/guests/{WEB}/snapshots/new/"
    said = as_operator.post(address, {"name": "a"})
    assert said.status_code == 422
    assert "already" in said.content.decode()
    assert as_operator.post(address, {"name": "d"}).status_code == 302
    Operation.objects.update(state="succeeded")
    address = f"/guests/{WEB}/snapshots/b/delete/"
    assert as_operator.post(address, {"name": "web"}).status_code == 422
    assert as_operator.post(address, {"name": "b"}).status_code == 302
    kinds = set(Operation.objects.values_list("kind", flat=True))
    assert kinds == {"guest.snapshot", "guest.snapshot-delete"}
