"""Guests by the API: lists, one guest, changes, and nothing a user may not know."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from guests import facts
from guests.models import Guest
from hosts.models import Host, Pool, Volume
from kvmweb.accounts.models import AuditEntry
from kvmweb.operations.models import Operation
from kvmweb.virt.types import AddressFacts, DomainState, Lost
from tests.guests.conftest import disk, domain, nic

API = "/api/v1/guests/"
JSON = "application/json"
RUNNING = DomainState.RUNNING


@pytest.fixture(autouse=True)
def _redis(redis_server: str) -> None:
    """Numbers and news need one."""


@pytest.fixture
def web(kvm1: Host) -> Guest:
    """A guest with a disk in a pool and a network card."""
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
    Volume.objects.create(
        pool=pool,
        name="web.qcow2",
        key="/images/web.qcow2",
        path="/images/web.qcow2",
        capacity_bytes=5 * 1024**3,
    )
    told = domain(
        "web",
        RUNNING,
        disks=(disk("/images/web.qcow2"),),
        nics=(
            nic(
                addresses=(
                    AddressFacts("fe80::1", "arp"),
                    AddressFacts("10.0.0.5", "lease"),
                )
            ),
        ),
        snapshots=2,
    )
    facts.record_look(kvm1, [told, domain("db")])
    return Guest.objects.select_related("host").get(name="web")


def names(client: Client, query: str = "") -> list[str]:
    """The names a list gives, in order."""
    answer = client.get(f"{API}?{query}")
    assert answer.status_code == 200, answer.content
    return [each["name"] for each in answer.json()["items"]]


def test_a_guest_is_told_as_the_contract_says(
    as_operator: Client, web: Guest, kvm1: Host
) -> None:
    said = as_operator.get(f"{API}{web.pk}/").json()
    assert {
        "uuid": str(web.pk),
        "name": "web",
        "host": kvm1.pk,
        "host_name": "kvm1",
        "project": None,
        "state": "running",
        "vcpus": 2,
        "memory_bytes": 1024**3,
        "autostart": False,
        "persistent": True,
        "ip_addresses": ["10.0.0.5", "fe80::1"],
        "snapshots": 2,
        "active_operation": None,
        "tags": [],
        "conflict": False,
    }.items() <= said.items()
    assert {
        "target": "vda",
        "device": "disk",
        "bus": "virtio",
        "pool": "default",
        "volume": "web.qcow2",
        "path": "/images/web.qcow2",
        "capacity_bytes": 5 * 1024**3,
    }.items() <= said["disks"][0].items()
    assert {
        "mac": "52:54:00:00:00:01",
        "network": "default",
        "model": "virtio",
        "ip_addresses": ["fe80::1", "10.0.0.5"],
    }.items() <= said["nics"][0].items()


def test_a_user_sees_their_own_guests_and_no_host(
    as_user: Client, user: Any, web: Guest
) -> None:
    assert names(as_user) == []
    assert as_user.get(f"{API}{web.pk}/").status_code == 404
    assert as_user.get(f"{API}{uuid4()}/").status_code == 404
    Guest.objects.filter(pk=web.pk).update(owner=user)
    assert names(as_user) == ["web"]
    said = as_user.get(f"{API}{web.pk}/").json()
    assert (said["host"], said["host_name"]) == (None, "")
    assert b"kvm1" not in as_user.get(API).content
    assert b"/images" not in as_user.get(f"{API}{web.pk}/").content
    assert names(as_user, "search=kvm1") == []
    assert as_user.get(f"{API}{web.pk}/xml/").status_code == 403
    assert as_user.delete(f"{API}{web.pk}/").status_code == 403


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["db", "web"]),
        ("ordering=-name", ["web", "db"]),
        ("ordering=-memory_bytes", ["db", "web"]),
        ("ordering=cpu", ["db", "web"]),
        ("search=10.0.0", ["web"]),
        ("search=kvm1+WE", ["web"]),
        ("search=prod", ["web"]),
        ("search=anna", ["web"]),
        ("search=nothing", []),
        ("state=running", ["web"]),
        ("state=gone", ["old"]),
        ("gone=true", ["db", "old", "web"]),
        ("tag=prod", ["web"]),
        ("tag=pro", []),
        ("owner=anna", ["web"]),
        ("owner=-", ["db"]),
        ("host=kvm1", ["db", "web"]),
        ("host=kvm2", []),
        ("agent=true", []),
        ("conflict=true", []),
        ("limit=1", ["db"]),
        ("limit=1&offset=1", ["web"]),
    ],
)
def test_lists_find_what_is_asked_for(
    as_admin: Client, admin: Any, web: Guest, kvm1: Host, query: str, found: list[str]
) -> None:
    Guest.objects.filter(pk=web.pk).update(
        owner=admin, tags=["prod"], tag_words=" prod "
    )
    facts.record_domain(kvm1, old := domain("old"), "")
    facts.record_vanished(kvm1, old.uuid, "undefined")
    assert names(as_admin, query) == found


@pytest.mark.parametrize(
    "query",
    [
        "ordering=nothing",
        "ordering=-",
        "state=odd",
        "limit=0",
        "limit=501",
        "offset=-1",
        "limit=x",
        "gone=perhaps",
    ],
)
def test_bad_lists_are_refused(as_admin: Client, query: str) -> None:
    answer = as_admin.get(f"{API}?{query}")
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["errors"]


def test_its_host_is_told_of_a_new_description(as_operator: Client, web: Guest) -> None:
    answer = as_operator.patch(
        f"{API}{web.pk}/", {"description": "Shop\n", "autostart": True}, JSON
    )
    assert answer.status_code == 202
    operation = Operation.objects.get()
    assert answer.headers["Location"] == f"/api/v1/operations/{operation.pk}/"
    assert (operation.kind, operation.guest) == ("guest.edit", web.pk)
    assert operation.params == {"description": "Shop\n", "autostart": True}
    assert as_operator.get(f"{API}{web.pk}/").json()["active_operation"]["id"] == str(
        operation.pk
    )


def test_tags_and_protection_are_true_at_once(as_operator: Client, web: Guest) -> None:
    answer = as_operator.patch(
        f"{API}{web.pk}/", {"tags": ["Web", "prod", "web"], "protected": True}, JSON
    )
    assert answer.status_code == 200
    said = answer.json()
    assert (said["tags"], said["protected"]) == (["web", "prod"], True)
    assert said["active_operation"] is None  # the copy for its host locks nothing
    assert Operation.objects.get().kind == "guest.label"
    assert AuditEntry.objects.filter(action="guest.edit", outcome="succeeded").exists()


def test_only_admins_give_guests_away(
    as_operator: Client, as_admin: Client, user: Any, web: Guest
) -> None:
    change = {"owner": user.username}
    assert as_operator.patch(f"{API}{web.pk}/", change, JSON).status_code == 403
    assert as_admin.patch(f"{API}{web.pk}/", change, JSON).json()["owner"] == "uwe"
    back = as_admin.patch(f"{API}{web.pk}/", {"owner": None}, JSON)
    assert back.json()["owner"] is None


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"vcpus": 0}, "vcpus"),
        ({"name": "a b"}, "name"),
        ({"disks": []}, "disks"),
        ({"colour": "red"}, "colour"),
        ({"tags": ["not a tag"]}, "tags"),
        ({"tags": [f"t{n}" for n in range(40)]}, "tags"),
        ({"tags": "web"}, "tags"),
        ({"title": "two\nlines"}, "title"),
        ({"description": "a\x01b"}, "description"),
        ({"description": None}, "description"),
        ({"owner": "nobody-like-this"}, "owner"),
        ({"protected": "perhaps"}, "protected"),
    ],
)
def test_bad_changes_are_refused_and_change_nothing(
    as_admin: Client, web: Guest, change: dict[str, Any], field: str
) -> None:
    answer = as_admin.patch(f"{API}{web.pk}/", {"autostart": True} | change, JSON)
    assert answer.status_code == 422, answer.content
    assert any(name.startswith(field) for name in answer.json()["errors"])
    assert not Operation.objects.exists()


def test_the_document_and_its_versions_are_told_as_text(
    as_operator: Client, web: Guest
) -> None:
    text = as_operator.get(f"{API}{web.pk}/xml/")
    assert text.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert text.content.decode().startswith("<domain")
    said = as_operator.get(f"{API}{web.pk}/revisions/").json()
    assert said["count"] == 1
    first = said["items"][0]
    assert (first["number"], first["author"]) == (1, "outside kvmweb")
    assert first["xml"].startswith("<domain")


def test_numbers_over_time_have_gaps_not_errors(
    as_operator: Client, web: Guest
) -> None:
    said = as_operator.get(f"{API}{web.pk}/stats/?range=1h").json()
    assert said["step_seconds"] > 0
    assert set(said["series"]) >= {
        "cpu_percent",
        "memory_bytes",
        "disk_read_bytes_s",
        "disk_write_bytes_s",
        "net_rx_bytes_s",
        "net_tx_bytes_s",
    }
    assert as_operator.get(f"{API}{web.pk}/stats/?range=odd").status_code == 422


def test_a_guest_on_a_lost_host_is_unknown_and_can_be_asked_for_nothing(
    as_operator: Client, as_user: Client, user: Any, web: Guest, kvm1: Host
) -> None:
    Guest.objects.filter(pk=web.pk).update(owner=user)
    Host.objects.update(state=Host.State.DOWN, error="It does not answer.")
    facts.host_lost(kvm1, Lost("It does not answer.", "", "host_unreachable"))
    said = as_operator.get(f"{API}{web.pk}/").json()
    assert (said["state"], said["known_state"]) == ("unknown", "running")
    answer = as_operator.post(f"{API}{web.pk}/shutdown/")
    assert answer.status_code == 409
    assert "kvm1 is down since" in answer.json()["detail"]
    answer = as_user.post(f"{API}{web.pk}/shutdown/")
    assert answer.status_code == 409
    assert "kvm1" not in answer.content.decode()


def test_a_guest_on_two_hosts_is_left_alone(
    as_operator: Client, web: Guest, kvm1: Host, kvm2: Host
) -> None:
    facts.record_domain(kvm2, domain("web", RUNNING, web.pk), "")
    said = as_operator.get(f"{API}{web.pk}/").json()
    assert said["conflict"]
    assert [twin["host_name"] for twin in said["twins"]] == ["kvm2"]
    assert names(as_operator, "conflict=true") == ["web"]
    answer = as_operator.post(f"{API}{web.pk}/force-off/")
    assert answer.status_code == 409
    assert "kvm1" in answer.json()["detail"]
    assert "kvm2" in answer.json()["detail"]


def test_a_list_of_any_length_costs_the_same_queries(
    as_operator: Client,
    kvm1: Host,
    django_assert_max_num_queries: Callable[[int], Any],
) -> None:
    told = [domain(f"g{n:03}", disks=(disk(f"/i/{n}"),)) for n in range(120)]
    facts.record_look(kvm1, told)
    with django_assert_max_num_queries(8):
        said = as_operator.get(f"{API}?limit=100").json()
    assert (len(said["items"]), said["count"]) == (100, 120)
