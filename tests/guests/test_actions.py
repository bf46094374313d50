"""Every action in every state: one operation, or one sentence."""

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from guests import facts
from guests.models import Guest
from hosts.models import Host
from kvmweb.operations.models import Operation
from kvmweb.virt.types import DomainState
from tests.guests.conftest import domain

API = "/api/v1/guests/"
FITS = {
    "start": {"shutoff", "crashed"},
    "shutdown": {"running"},
    "reboot": {"running"},
    "reset": {"running", "paused"},
    "force-off": {"running", "paused", "shutting-down", "suspended"},
    "pause": {"running"},
    "resume": {"paused", "suspended"},
    "save": {"running", "paused"},
}
STATES = [state for state in DomainState if state != DomainState.GONE]


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("action", FITS)
def test_an_action_fits_a_state_or_says_why_not(
    as_operator: Client, kvm1: Host, action: str, state: DomainState
) -> None:
    web = domain("web", state)
    facts.record_domain(kvm1, web, "")
    answer = as_operator.post(f"{API}{web.uuid}/{action}/")
    if state in FITS[action]:
        assert answer.status_code == 202, answer.content
        operation = Operation.objects.get()
        assert (operation.kind, operation.guest) == (f"guest.{action}", web.uuid)
        assert (operation.author, operation.host_name) == ("olga", "kvm1")
    else:
        assert answer.status_code == 409
        sentence = answer.json()["detail"]
        assert "web" in sentence
        assert sentence.endswith((".", "shortly."))
        assert not Operation.objects.exists()


@pytest.mark.parametrize("action", FITS)
def test_what_is_gone_can_be_asked_for_nothing(
    as_operator: Client, kvm1: Host, action: str
) -> None:
    web = domain("web")
    facts.record_domain(kvm1, web, "")
    facts.record_vanished(kvm1, web.uuid, "undefined")
    answer = as_operator.post(f"{API}{web.uuid}/{action}/")
    assert answer.status_code == 409
    assert "gone" in answer.json()["detail"]


def test_a_second_operation_is_refused_and_names_the_first(
    as_operator: Client, as_admin: Client, kvm1: Host
) -> None:
    web = domain("web", DomainState.RUNNING)
    facts.record_domain(kvm1, web, "")
    first = as_operator.post(f"{API}{web.uuid}/shutdown/").json()
    second = as_admin.post(f"{API}{web.uuid}/force-off/")
    assert second.status_code == 409
    assert second.json()["operation"] == first["id"]
    assert "olga" in second.json()["detail"]


def test_others_guests_look_as_if_they_were_not_there(
    as_user: Client, user: Any, kvm1: Host
) -> None:
    web = domain("web")
    facts.record_domain(kvm1, web, "")
    invented = as_user.post(f"{API}{uuid4()}/start/")
    foreign = as_user.post(f"{API}{web.uuid}/start/")
    assert invented.status_code == foreign.status_code == 404
    assert invented.json()["detail"] == foreign.json()["detail"]
    Guest.objects.update(owner=user)
    assert as_user.post(f"{API}{web.uuid}/start/").status_code == 202


def test_a_transient_guest_cannot_be_saved(as_operator: Client, kvm1: Host) -> None:
    web = domain("web", DomainState.RUNNING, persistent=False)
    facts.record_domain(kvm1, web, "")
    assert as_operator.post(f"{API}{web.uuid}/save/").status_code == 409


def test_a_panicked_guest_can_be_reset_or_forced_off(
    as_operator: Client, kvm1: Host
) -> None:
    web = domain("web", DomainState.CRASHED, reason="panicked")
    facts.record_domain(kvm1, web, "")
    assert as_operator.post(f"{API}{web.uuid}/start/").status_code == 409
    assert as_operator.post(f"{API}{web.uuid}/force-off/").status_code == 202


def test_the_button_on_a_page_does_the_same_and_comes_back(
    as_operator: Client, kvm1: Host
) -> None:
    web = domain("web")
    facts.record_domain(kvm1, web, "")
    page = f"/guests/{web.uuid}/"
    answer = as_operator.post(f"{page}start/")
    assert (answer.status_code, answer.headers["Location"]) == (302, page)
    assert Operation.objects.get().kind == "guest.start"
    list_page = "http://testserver/guests/?state=shutoff"
    answer = as_operator.post(f"{page}start/", headers={"Referer": list_page})
    assert answer.headers["Location"] == "/guests/?state=shutoff"
    answer = as_operator.post(
        f"{page}start/", headers={"Referer": "http://evil/guests/"}
    )
    assert answer.headers["Location"] == page
    assert as_operator.post(f"{page}explode/").status_code == 404
    assert as_operator.get(f"{page}start/").status_code == 405
    assert Operation.objects.count() == 1
