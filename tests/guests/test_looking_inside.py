"""A guest from inside: asked for, shown with its age, and never believed to be harmless."""

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from guests import facts
from guests.inside import sealing
from guests.inside.advice import advice
from guests.inside.models import InsideReport, SealedWords
from guests.models import Guest
from hosts.models import Host
from kvmweb.operations.models import Operation
from kvmweb.virt.types import DomainState
from tests.guests.conftest import domain

API = "/api/v1/guests/"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g me"
PASSWORD = "Top-Secret-7"
JSON = "application/json"
TOLD = {
    "hostname": "<script>alert(1)</script>",
    "system": {
        "id": "debian",
        "name": "Debian 12",
        "version": "12",
        "kernel": "6.1",
        "machine": "x86_64",
    },
    "timezone": "CET",
    "timezone_offset_s": 3600,
    "ahead_s": -90.0,
    "users": [{"name": "root", "domain": "", "since": "2026-01-02T03:04:05+00:00"}],
    "file_systems": [
        {
            "mountpoint": "/<b>",
            "kind": "ext4",
            "device": "vda1",
            "total_bytes": 1000,
            "used_bytes": 250,
        },
        {
            "mountpoint": "/odd",
            "kind": "",
            "device": "",
            "total_bytes": None,
            "used_bytes": None,
        },
    ],
    "untold": ["users"],
}


def guest(kvm1: Host, **about: Any) -> Guest:
    """A guest that runs, with an agent that answers."""
    web = domain("web", DomainState.RUNNING, **{"agent": True, **about})
    facts.record_domain(kvm1, web, "")
    return Guest.objects.get(pk=web.uuid)


def post(browser: Client, web: Guest, path: str, body: Any = None) -> Any:
    """The answer of the API."""
    return browser.post(f"{API}{web.pk}/{path}/", body or {}, content_type=JSON)


def test_looking_inside_is_an_operation(as_operator: Client, kvm1: Host) -> None:
    web = guest(kvm1)
    assert as_operator.get(f"{API}{web.pk}/inside/").status_code == 404
    assert post(as_operator, web, "inside").status_code == 202
    operation = Operation.objects.get()
    assert (operation.kind, operation.guest) == ("guest.look-inside", web.pk)


def test_the_last_report_is_shown_escaped_and_with_its_age(
    as_user: Client, user: Any, kvm1: Host
) -> None:
    web = guest(kvm1)
    Guest.objects.filter(pk=web.pk).update(owner=user)
    InsideReport.objects.create(guest=web, at=timezone.now(), told=TOLD)
    said = as_user.get(f"{API}{web.pk}/inside/").json()
    assert said["hostname"] == TOLD["hostname"]
    assert said["file_systems"][0]["used_bytes"] == 250
    assert said["at"]
    page = as_user.get(f"/guests/{web.pk}/").content.decode()
    assert "as told" in page
    assert "&lt;script&gt;alert" in page
    assert "<script>alert" not in page
    assert "/<b>" not in page
    assert "1 min 30 s late" in page
    assert "Look inside" not in page  # an owner may not change what is inside now
    assert post(as_user, web, "inside").status_code == 403


def test_others_see_nothing_of_it(as_user: Client, kvm1: Host) -> None:
    web = guest(kvm1)
    InsideReport.objects.create(guest=web, told=TOLD)
    assert as_user.get(f"{API}{web.pk}/inside/").status_code == 404


@pytest.mark.parametrize(
    ("about", "words"),
    [
        ({"agent": None}, "no channel"),
        ({"agent": False}, "No guest agent answers"),
        ({"agent": False, "os": "http://fedoraproject.org/fedora/40"}, "dnf install"),
        ({"agent": False, "os": "http://debian.org/debian/12"}, "apt install"),
    ],
)
def test_it_says_when_there_is_no_agent_and_how_to_install_one(
    as_operator: Client, kvm1: Host, about: dict[str, Any], words: str
) -> None:
    web = guest(kvm1, **about)
    answer = post(as_operator, web, "inside")
    assert answer.status_code == 409
    assert words in answer.json()["detail"] + answer.json()["hint"]
    page = as_operator.get(f"/guests/{web.pk}/").content.decode()
    assert words in page
    assert ("Add the channel" in page) == (about["agent"] is None)
    assert not Operation.objects.exists()


def test_advice_fits_the_system() -> None:
    windows = advice("w", "running", "http://microsoft.com/win/11", agent=False)
    assert "virtio-win" in windows.steps[0]
    off = advice("w", "shutoff", "", agent=None)
    assert "does not run" in off.reason
    assert not off.commands
    assert advice("w", "running", "", agent=True).reason == ""
    assert len(advice("w", "running", "", agent=None).commands) == 3


def test_a_password_stands_nowhere_in_the_clear(
    as_operator: Client, kvm1: Host, caplog: pytest.LogCaptureFixture
) -> None:
    web = guest(kvm1)
    body = {"user": "root", "password": PASSWORD}
    answer = post(as_operator, web, "set-password", body)
    assert answer.status_code == 202
    operation = Operation.objects.get()
    assert operation.params == {"user": "root"}
    assert PASSWORD not in SealedWords.objects.get().sealed
    assert PASSWORD not in caplog.text
    assert PASSWORD not in answer.content.decode()
    for page in (f"/operations/{operation.pk}/", f"/guests/{web.pk}/"):
        assert PASSWORD not in as_operator.get(page).content.decode()


def test_what_is_sealed_goes_when_its_operation_ended(
    as_operator: Client, kvm1: Host
) -> None:
    web = guest(kvm1)
    body = {"user": "ann", "ssh_keys": [KEY]}
    assert post(as_operator, web, "ssh-keys", body).status_code == 202
    sealing.forget_ended()
    assert SealedWords.objects.count() == 1
    Operation.objects.update(state=Operation.State.FAILED)
    sealing.forget_ended()
    assert not SealedWords.objects.exists()


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("set-password", {"user": "a:b", "password": "x"}, "user"),
        ("set-password", {"user": "-x", "password": "x"}, "user"),
        ("set-password", {"user": "a\nb", "password": "x"}, "user"),
        ("set-password", {"user": "root", "password": ""}, "password"),
        ("set-password", {"user": "root", "password": "a\nb"}, "password"),
        ("set-password", {"user": "root", "password": "x" * 257}, "password"),
        ("ssh-keys", {"user": "root", "ssh_keys": []}, "ssh_keys"),
        ("ssh-keys", {"user": "root", "ssh_keys": [" "]}, "ssh_keys"),
        ("ssh-keys", {"user": "root", "ssh_keys": ["nonsense"]}, "ssh_keys"),
        ("ssh-keys", {"user": "root", "ssh_keys": [f'command="x" {KEY}']}, "ssh_keys"),
    ],
)
def test_what_no_agent_could_take_is_refused_at_its_field(
    as_operator: Client, kvm1: Host, path: str, body: dict[str, Any], field: str
) -> None:
    web = guest(kvm1)
    answer = post(as_operator, web, path, body)
    assert answer.status_code == 422, answer.content
    assert field in answer.json()["errors"]
    assert not SealedWords.objects.exists()


def test_a_form_says_what_is_wrong_and_gives_no_password_back(
    as_operator: Client, kvm1: Host
) -> None:
    web = guest(kvm1)
    address = f"/guests/{web.pk}/set-password/"
    typed = {"user": "a:b", "password": PASSWORD}
    answer = as_operator.post(address, typed)
    assert answer.status_code == 422
    assert PASSWORD not in answer.content.decode()
    assert as_operator.post(address, typed | {"user": "root"}).status_code == 302
    assert as_operator.get(f"/guests/{web.pk}/ssh-keys/").status_code == 200


def test_a_channel_is_added_only_where_there_is_none(
    as_operator: Client, kvm1: Host
) -> None:
    web = guest(kvm1)
    assert post(as_operator, web, "agent-channel").status_code == 409
    Guest.objects.update(agent=None)
    assert post(as_operator, web, "agent-channel").status_code == 202
