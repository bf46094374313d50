"""`manage.py bootstrap`: the first run makes an admin and adds this machine, once."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from hosts.management.commands import bootstrap
from hosts.models import Host
from kvmweb.accounts.models import AuditEntry, User


@pytest.fixture
def run(redis_server: str, db: None, capsys: pytest.CaptureFixture[str]) -> Any:
    def run() -> str:
        call_command("bootstrap")
        return capsys.readouterr().out

    return run


@pytest.fixture
def libvirt(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: Any
) -> Iterator[None]:
    """Something that takes connections where libvirtd does."""
    path = tmp_path / "libvirt-sock"
    monkeypatch.setattr(bootstrap, "SOCKETS", (str(path),))
    settings.LOCAL_HOST = "auto"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        yield


def test_it_makes_an_admin_and_shows_the_password_once(run: Any) -> None:
    said = run()
    password = said.split("password ")[1].split(" ")[0]
    assert len(password) >= 16
    assert Client().login(username="admin", password=password)
    assert User.objects.get().role == "admin"
    assert run() == ""
    assert User.objects.count() == 1


def test_it_takes_the_password_that_was_given(run: Any, settings: Any) -> None:
    settings.ADMIN_PASSWORD = "given before"
    assert "given before" not in run()
    assert Client().login(username="admin", password="given before")


def test_it_adds_this_machine_once(run: Any, libvirt: None) -> None:
    assert "This machine is a host now" in run()
    host = Host.objects.get()
    assert (host.transport, host.virt_type_wanted) == ("local", "auto")
    assert AuditEntry.objects.filter(action="host.add", actor="kvmweb").exists()
    run()
    assert Host.objects.count() == 1


def test_it_does_not_bring_back_what_was_removed(
    run: Any, libvirt: None, as_admin: Client
) -> None:
    run()
    assert as_admin.delete(f"/api/v1/hosts/{Host.objects.get().pk}/").status_code < 300
    run()
    assert not Host.objects.exists()


def test_it_adds_nothing_where_no_libvirt_answers(
    run: Any, libvirt: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "SOCKETS", ("/nonexistent/socket",))
    run()
    assert not Host.objects.exists()


def test_it_adds_nothing_where_it_should_not(
    run: Any, libvirt: None, settings: Any
) -> None:
    settings.LOCAL_HOST = "off"
    run()
    assert not Host.objects.exists()


def test_it_emulates_where_kvm_was_tried_in_vain(
    run: Any, libvirt: None, settings: Any, tmp_path: Path
) -> None:
    (tmp_path / "kvm.json").write_text(json.dumps({"works": False, "why": "no"}))
    settings.DATA_DIR = tmp_path
    run()
    assert Host.objects.get().virt_type_wanted == "qemu"
