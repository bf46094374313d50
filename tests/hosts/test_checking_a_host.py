"""A check says step by step what it saw; commands add and remove hosts while it runs."""

import socket
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from hosts.models import Host
from kvmweb.operations import tasks
from kvmweb.operations.models import Operation
from kvmweb.virt import connection

pytestmark = pytest.mark.usefixtures("redis_server")


@pytest.fixture(autouse=True)
def _no_children_stay() -> Any:
    yield
    connection.close_all()


def checked(client: Any, host: Host) -> dict[str, Any]:
    """Ask for a check, let a worker do it, and look at the operation."""
    answer = client.post(f"/api/v1/hosts/{host.pk}/check/")
    assert answer.status_code == 202
    tasks.run(answer.json()["id"])
    body: dict[str, Any] = client.get(
        f"/api/v1/operations/{answer.json()['id']}/"
    ).json()
    return body


def test_a_host_that_can_be_used(as_admin: Any, db: None) -> None:
    host = Host.objects.create(name="kvm1", transport="test")
    said = checked(as_admin, host)
    assert said["state"] == "succeeded", said
    steps = {step["name"]: step["ok"] for step in said["result"]["steps"]}
    assert list(steps) == [
        "name",
        "port",
        "handshake",
        "permission",
        "version",
        "virtualisation",
        "identity",
    ]
    assert set(steps.values()) == {True}
    shown = as_admin.get(f"/api/v1/hosts/{host.pk}/").json()
    assert [step["name"] for step in shown["check_steps"]] == list(steps)
    assert shown["checked_at"]


def test_a_host_that_cannot_be_reached(as_admin: Any, db: None) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        host = Host.objects.create(
            name="kvm1",
            transport="tcp",
            address="127.0.0.1",
            port=nobody.getsockname()[1],
        )
        said = checked(as_admin, host)
    assert said["state"] == "failed"
    assert said["error"]["code"] == "host_unreachable"
    assert said["error"]["message"].startswith("kvm1: ")
    steps = {step["name"]: step["ok"] for step in said["result"]["steps"]}
    assert (steps["name"], steps["port"], steps["handshake"]) == (True, False, None)
    assert len(Host.objects.get().check_steps) == len(steps)
    assert len(said["log"]) == len(steps)


def test_who_lost_the_right_is_not_obeyed(as_admin: Any, admin: Any, db: None) -> None:
    host = Host.objects.create(name="kvm1", transport="test")
    answer = as_admin.post(f"/api/v1/hosts/{host.pk}/check/")
    admin.role = "user"
    admin.save()
    tasks.run(answer.json()["id"])
    operation = Operation.objects.get()
    assert (operation.state, operation.error_code) == ("failed", "forbidden")
    assert not Host.objects.get().check_steps


def test_a_host_removed_meanwhile_is_said(as_admin: Any, db: None) -> None:
    host = Host.objects.create(name="kvm1", transport="test")
    answer = as_admin.post(f"/api/v1/hosts/{host.pk}/check/")
    as_admin.delete(f"/api/v1/hosts/{host.pk}/")
    tasks.run(answer.json()["id"])
    assert "kvm1 was removed" in Operation.objects.get().message


def test_hosts_by_command(db: None, capsys: pytest.CaptureFixture[str]) -> None:
    call_command(
        "add_host", "kvm1", "--transport", "tcp", "--address", "10.0.0.1", "--tags", "a"
    )
    host = Host.objects.get()
    assert (host.address, host.tags) == ("10.0.0.1", ["a"])
    with pytest.raises(CommandError, match="already"):
        call_command("add_host", "kvm1", "--transport", "test")
    with pytest.raises(CommandError, match="host name or an IP"):
        call_command("add_host", "kvm2", "--transport", "tcp", "--address", "a b")
    call_command("remove_host", "kvm1")
    assert not Host.objects.exists()
    with pytest.raises(CommandError, match="no host named kvm1"):
        call_command("remove_host", "kvm1")
