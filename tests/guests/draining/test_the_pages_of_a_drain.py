"""The rehearsal, the convoy and the way home in the browser's words."""

from collections.abc import Callable

import pytest
from django.test import Client

from guests.draining.models import Home, Step
from guests.models import Guest
from hosts.models import Host
from kvmweb.operations.models import Operation
from tests.guests.fleet import MIB, Ender

Runs = Callable[..., Guest]


def text(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 200, answer.status_code
    return answer.content.decode()


def test_the_rehearsal_says_where_to_why_and_what_is_stuck(
    fleet: list[Host], runs: Runs, as_admin: Client
) -> None:
    runs("web")
    runs("huge", memory_mib=4096)
    page = text(as_admin, f"/hosts/{fleet[0].pk}/drain/")
    assert "It has room: 1 GiB of memory left." in page
    assert "kvm2 has 1 GiB of memory left, 4 GiB are needed." in page
    assert "would still fit if one more host were lost" in page
    assert not Operation.objects.exists()


def test_begun_from_the_page_it_does_what_was_chosen(
    fleet: list[Host], runs: Runs, as_admin: Client
) -> None:
    runs("web")
    huge = runs("huge", memory_mib=4096)
    answer = as_admin.post(
        f"/hosts/{fleet[0].pk}/drain/",
        {"per_target": 1, "per_source": 2, f"fate-{huge.pk}": "suspend"},
    )
    operation = Operation.objects.get(kind="host.evacuate")
    assert answer["Location"] == f"/operations/{operation.pk}/guests/"
    assert Step.objects.get(guest=huge.pk).deed == "suspend"
    page = text(as_admin, answer["Location"])
    assert "Pause" in page
    assert "huge" in page
    assert "Guests are being moved" in text(as_admin, f"/hosts/{fleet[0].pk}/")


def test_the_buttons_pause_go_on_and_stop(
    fleet: list[Host], runs: Runs, as_admin: Client
) -> None:
    for number in range(4):
        runs(f"web-{number}")
    url = as_admin.post(
        f"/hosts/{fleet[0].pk}/drain/", {"per_target": 1, "per_source": 1}
    )["Location"]
    as_admin.post(f"{url}pause/", {"paused": "true"})
    assert "Go on" in text(as_admin, url)
    as_admin.post(f"{url}stop/", {"now": "1"})
    assert Operation.objects.get(kind="host.evacuate").state == "cancelled"


def test_the_page_of_a_host_offers_to_bring_them_home(
    fleet: list[Host], runs: Runs, as_admin: Client, arrives: Ender
) -> None:
    guest = runs("web", host=fleet[1])
    Home.objects.create(
        guest=guest.pk, guest_name="web", host=fleet[0], deed=Step.Deed.MOVE
    )
    assert "Bring them home" in text(as_admin, f"/hosts/{fleet[0].pk}/")
    answer = as_admin.post(f"/hosts/{fleet[0].pk}/bring-home/")
    assert Operation.objects.filter(kind="host.return").exists()
    arrives(guest.pk)
    assert "1 moved" in text(as_admin, answer["Location"])


def test_what_a_host_keeps_for_itself_is_said_in_its_form(
    fleet: list[Host], as_admin: Client
) -> None:
    url = f"/hosts/{fleet[0].pk}/edit/"
    body = {
        "name": "kvm1",
        "transport": "tcp",
        "address": "10.0.0.1",
        "virt_type": "auto",
        "reserved_memory_gib": "0.5",
        "cpu_overcommit": "2",
    }
    assert as_admin.post(url, body).status_code == 302
    host = Host.objects.get(pk=fleet[0].pk)
    assert (host.reserved_memory_bytes, host.cpu_overcommit) == (512 * MIB, 2)
    assert host.memory_overcommit == 1
    told = as_admin.get(f"/api/v1/hosts/{host.pk}/").json()
    assert told["reserved_memory_bytes"] == 512 * MIB
    assert "Kept for itself" in text(as_admin, f"/hosts/{host.pk}/")


@pytest.mark.parametrize("field", ["reserved_memory_bytes", "memory_overcommit"])
def test_limits_that_cannot_be_are_refused(
    fleet: list[Host], as_admin: Client, field: str
) -> None:
    answer = as_admin.patch(
        f"/api/v1/hosts/{fleet[0].pk}/", {field: -1}, content_type="application/json"
    )
    assert answer.status_code == 422
    assert field in answer.json()["errors"]
