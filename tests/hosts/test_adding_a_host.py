"""An admin adds, edits and removes hosts by the API; nobody else may, and no secret leaves."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from guests.models import Guest
from hosts import vault
from hosts.models import Host
from kvmweb.accounts.models import AuditEntry
from kvmweb.operations.models import Operation
from tests.hosts.conftest import PRIVATE_KEY

Add = Callable[..., Any]
SSH = {
    "transport": "ssh",
    "address": "kvm9.example.org",
    "username": "kvm",
    "ssh_private_key": PRIVATE_KEY,
    "ssh_host_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPlanted",
}


def patch(client: Any, host_id: int, **said: Any) -> Any:
    """PATCH a host."""
    url = f"/api/v1/hosts/{host_id}/"
    return client.patch(url, said, content_type="application/json")


def test_it_answers_at_once_and_checks_in_the_background(add: Add) -> None:
    answer = add(name="kvm1", transport="test", tags=["rack-1"])
    assert answer.status_code == 201
    assert answer.json()["state"] == "connecting"
    assert answer.json()["tags"] == ["rack-1"]
    operation = Operation.objects.get()
    assert (operation.kind, operation.host_name) == ("host.check", "kvm1")
    assert operation.host == answer.json()["id"]


def test_secrets_only_go_in(add: Add, as_admin: Any) -> None:
    host_id = add(**SSH, password="planted-password").json()["id"]
    answers = [
        as_admin.get(f"/api/v1/hosts/{host_id}/").content,
        as_admin.get("/api/v1/hosts/").content,
        as_admin.get("/api/v1/operations/").content,
        as_admin.get(f"/hosts/{host_id}/edit/").content,
        as_admin.get(f"/hosts/{host_id}/").content,
    ]
    with connection.cursor() as cursor:
        for table in ("hosts_host", "operations_operation", "accounts_auditentry"):
            cursor.execute(f"SELECT * FROM {table}")
            answers.append(repr(cursor.fetchall()).encode())
    assert not [text for text in answers if b"planted-" in text]
    secrets = vault.secrets_of(Host.objects.get())
    assert secrets.ssh_private_key == PRIVATE_KEY
    assert secrets.password == "planted-password"


def test_a_secret_stays_until_another_is_said(add: Add, as_admin: Any) -> None:
    host_id = add(**SSH).json()["id"]
    patch(as_admin, host_id, name="kvm2")
    assert vault.secrets_of(Host.objects.get()).ssh_private_key == PRIVATE_KEY
    patch(as_admin, host_id, ssh_private_key="")
    assert vault.secrets_of(Host.objects.get()).ssh_private_key == ""
    assert vault.secrets_of(Host.objects.get()).ssh_host_key == SSH["ssh_host_key"]


def test_another_key_is_said_in_a_sentence(
    add: Add, as_admin: Any, settings: Any
) -> None:
    host_id = add(**SSH).json()["id"]
    settings.SECRETS_KEY = "another"
    answer = patch(as_admin, host_id, name="kvm2")
    assert answer.status_code == 503
    assert "encrypted with another key" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"name": "Kvm 1"}, "name"),
        ({"name": "-x"}, "name"),
        ({"transport": "tcp", "address": "a b"}, "address"),
        ({"transport": "tcp", "address": "h/system?command=touch"}, "address"),
        ({"transport": "tcp", "address": ""}, "address"),
        ({"transport": "carrier-pigeon"}, "transport"),
        ({"transport": "tcp", "address": "h", "port": 70000}, "port"),
        ({"transport": "unix", "socket_path": "../x"}, "socket_path"),
        ({"transport": "ssh", "address": "h", "username": "-oProxy"}, "username"),
        ({"migration_address": "tcp://h"}, "migration_address"),
        ({"virt_type": "xen"}, "virt_type"),
        ({"tags": ["a b"]}, "tags"),
        ({"uri": "qemu:///system"}, "uri"),
    ],
)
def test_bad_parts_are_said_at_their_field(
    add: Add, said: dict[str, Any], field: str
) -> None:
    answer = add(**said)
    assert answer.status_code == 422
    assert field in answer.json()["errors"], answer.json()
    assert not Host.objects.exists()


def test_a_name_or_a_place_is_taken_once(add: Add) -> None:
    add(name="kvm1", transport="tcp", address="10.0.0.1")
    same_name = add(name="kvm1", transport="tcp", address="10.0.0.2")
    same_place = add(name="kvm2", transport="tcp", address="10.0.0.1")
    assert (same_name.status_code, same_place.status_code) == (409, 409)
    assert "kvm1" in same_place.json()["detail"]
    assert Host.objects.count() == 1


def test_another_way_to_it_is_checked_again(add: Add, as_admin: Any) -> None:
    host_id = add(name="kvm1", transport="tcp", address="10.0.0.1").json()["id"]
    assert patch(as_admin, host_id, tags=["x"]).json()["tags"] == ["x"]
    assert Operation.objects.count() == 1
    assert patch(as_admin, host_id, port=16510).json()["port"] == 16510
    assert Operation.objects.count() == 2


def test_the_same_again_is_no_change(add: Add, as_admin: Any) -> None:
    host_id = add(**SSH).json()["id"]
    before = Host.objects.get().secrets
    patch(as_admin, host_id, **{**SSH, "name": "kvm1"})
    assert Host.objects.get().secrets == before
    assert not AuditEntry.objects.filter(action="host.edit").exists()


def test_removing_it_keeps_its_guests_as_gone(
    add: Add, as_admin: Any, admin: Any
) -> None:
    host_id = add().json()["id"]
    uuid = "6695eb01-f6a4-8304-79aa-97f2502e193f"
    Guest.objects.create(
        uuid=uuid, name="web", state="running", host_id=host_id, owner=admin, tags=["a"]
    )
    assert as_admin.delete(f"/api/v1/hosts/{host_id}/").status_code == 204
    guest = Guest.objects.get()
    assert (guest.state, guest.host, guest.owner, guest.tags) == (
        "gone",
        None,
        admin,
        ["a"],
    )
    assert as_admin.get(f"/api/v1/hosts/{host_id}/").status_code == 404


def test_maintenance_is_an_operation(add: Add, as_admin: Any) -> None:
    host_id = add().json()["id"]
    url = f"/api/v1/hosts/{host_id}/maintenance/"
    answer = as_admin.post(url, {"enabled": True}, content_type="application/json")
    assert answer.status_code == 202
    assert answer.headers["Location"].endswith(f"{answer.json()['id']}/")
    Host.objects.update(state="up")
    assert as_admin.get(f"/api/v1/hosts/{host_id}/").json()["state"] == "maintenance"


def test_emptying_it_while_it_returns_to_service_is_refused_in_words(
    add: Add, as_admin: Any
) -> None:
    host_id = add().json()["id"]
    url = f"/api/v1/hosts/{host_id}/maintenance/"
    answer = as_admin.post(
        url, {"enabled": False, "evacuate": True}, content_type="application/json"
    )
    assert answer.status_code == 422
    assert "evacuate" in answer.json()["errors"]
    assert not Host.objects.get().maintenance


def test_operators_look_and_users_see_none(
    add: Add, as_operator: Any, as_user: Any
) -> None:
    host_id = add().json()["id"]
    body = json.dumps({"name": "x", "transport": "test"})
    listing = as_operator.get("/api/v1/hosts/").json()
    assert [host["name"] for host in listing["items"]] == ["kvm1"]
    for client in (as_operator, as_user):
        post = client.post("/api/v1/hosts/", body, content_type="application/json")
        delete = client.delete(f"/api/v1/hosts/{host_id}/")
        assert (post.status_code, delete.status_code) == (403, 403)
        assert patch(client, host_id, name="x").status_code == 403
    assert as_user.get("/api/v1/hosts/").status_code == 403
    assert as_user.get(f"/api/v1/hosts/{host_id}/").status_code == 403
    assert Host.objects.get().name == "kvm1"


def test_the_record_says_who_did_what(add: Add, as_admin: Any) -> None:
    host_id = add().json()["id"]
    patch(as_admin, host_id, name="kvm2")
    as_admin.delete(f"/api/v1/hosts/{host_id}/")
    rows = AuditEntry.objects.filter(action__startswith="host.").order_by("at", "id")
    said = [(row.actor, row.action, row.target, row.outcome) for row in rows]
    topic = f"host:{host_id}"
    assert ("anna", "host.add", topic, "succeeded") in said
    assert ("anna", "host.edit", topic, "succeeded") in said
    assert ("anna", "host.remove", topic, "succeeded") in said
