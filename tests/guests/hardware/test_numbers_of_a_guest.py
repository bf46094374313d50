"""vCPUs, memory, name and boot order of a guest, changed by the API."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from guests.models import Guest
from kvmweb.virt import domains
from kvmweb.virt.xml.domain import Domain
from tests.guests.hardware.conftest import OFF, WEB, Bench

MIB = 1024**2


def test_vcpus_and_memory_of_a_guest_that_is_off(
    bench: Bench, off: Guest, ask: Callable[..., Any]
) -> None:
    wish = {"vcpus": 3, "memory_bytes": 512 * MIB}
    operation = bench.done(ask("PATCH", off, "", wish))
    doc = Domain.parse(bench.documents(OFF).config)
    assert (doc.vcpus, doc.vcpus_current, doc.memory) == (3, None, 512 * MIB)
    assert operation.kind == "guest.change"
    assert operation.result["at_next_start"] == []
    assert "vCPUs 1 → 3" in operation.message
    off.refresh_from_db()
    assert (off.vcpus, off.memory_bytes) == (3, 512 * MIB)


def test_what_cannot_be_while_it_runs_waits_for_its_next_start(
    bench: Bench, web: Guest, ask: Callable[..., Any]
) -> None:
    operation = bench.done(ask("PATCH", web, "", {"vcpus": 8, "title": "Front"}))
    live, config = bench.documents(WEB).live, bench.documents(WEB).config
    assert Domain.parse(config).vcpus == 8
    assert Domain.parse(live).vcpus == 2
    assert operation.result["at_next_start"] == ["vCPUs 2 → 8"]
    web.refresh_from_db()
    assert web.differs
    assert web.title == "Front"


def test_what_can_be_while_it_runs_is_so_at_once(
    bench: Bench, web: Guest, ask: Callable[..., Any]
) -> None:
    operation = bench.done(ask("PATCH", web, "", {"vcpus": 1}))
    live, config = bench.documents(WEB).live, bench.documents(WEB).config
    assert [Domain.parse(it).vcpus_current for it in (live, config)] == [1, 1]
    assert operation.result["at_next_start"] == []


def test_asked_for_the_next_start_what_runs_is_left_alone(
    bench: Bench, web: Guest, ask: Callable[..., Any]
) -> None:
    before = bench.documents(WEB).live
    bench.done(ask("PATCH", web, "", {"vcpus": 1, "when": "next-start"}))
    assert bench.documents(WEB).live == before
    assert Domain.parse(bench.documents(WEB).config).vcpus_current == 1


def test_numbers_out_of_range_never_reach_a_host(
    bench: Bench, off: Guest, ask: Callable[..., Any]
) -> None:
    for wish in (
        {"vcpus": -1},
        {"vcpus": 4097},
        {"memory_bytes": 0},
        {"memory_bytes": 2**53},
        {"vcpus": 4, "vcpus_max": 2},
        {"topology": {"sockets": 0, "cores": 1, "threads": 1}},
        {"name": "a b"},
        {"name": "-x"},
        {"boot": ["vdz"]},
        {"firmware": "coreboot"},
        {"cpu": "a;b"},
    ):
        said = ask("PATCH", off, "", wish)
        assert said.status_code == 422, (wish, said.content)
        assert set(said.json()["errors"]) & set(wish), said.content


def test_a_guest_that_is_off_gets_another_name(
    bench: Bench, off: Guest, web: Guest, ask: Callable[..., Any]
) -> None:
    assert ask("PATCH", off, "", {"name": web.name}).status_code == 409
    assert ask("PATCH", web, "", {"name": "other"}).status_code == 409
    bench.done(ask("PATCH", off, "", {"name": "other"}))
    off.refresh_from_db()
    assert off.name == "other"
    assert off.happenings.filter(what="renamed").exclude(operation=None).exists()


def test_the_order_it_boots_in(
    bench: Bench, off: Guest, ask: Callable[..., Any]
) -> None:
    disks = [disk["target"] for disk in off.disks]
    bench.done(ask("PATCH", off, "", {"boot": disks[::-1], "boot_menu": True}))
    doc = Domain.parse(bench.documents(OFF).config)
    ordered = sorted(doc.disks, key=lambda disk: disk.boot_order or 99)
    assert [disk.target for disk in ordered if disk.boot_order] == disks[::-1]
    assert doc.os
    assert doc.os.boot_menu


def test_an_operation_whose_worker_died_is_taken_up_again(
    bench: Bench, off: Guest, ask: Callable[..., Any]
) -> None:
    from datetime import timedelta

    from django.utils import timezone

    from kvmweb.operations.models import Operation

    answer = ask("PATCH", off, "", {"vcpus": 3})
    Operation.objects.filter(pk=answer.json()["id"]).update(
        state="running",
        worker="gone:1:dead",
        attempts=1,
        lease_until=timezone.now() - timedelta(minutes=1),
    )
    bench.done(answer)
    assert Domain.parse(bench.documents(OFF).config).vcpus == 3


def test_a_guest_that_is_gone_from_its_host_is_said_to_be(
    bench: Bench, off: Guest, ask: Callable[..., Any]
) -> None:
    bench.run(domains.undefine, OFF)
    operation = bench.perform(ask("PATCH", off, "", {"vcpus": 3}))
    assert operation.state == "failed"
    assert operation.error_code == "not_found"


def test_an_owner_may_not_change_hardware(
    bench: Bench, off: Guest, as_user: Client, user: Any
) -> None:
    Guest.objects.filter(pk=off.pk).update(owner=user)
    address = f"/api/v1/guests/{off.pk}/"
    said = as_user.patch(address, {"vcpus": 3}, content_type="application/json")
    assert said.status_code == 403
    said = as_user.patch(address, {"title": "Mine"}, content_type="application/json")
    assert said.status_code == 202


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("", {"vcpus": True}),
        ("", {"topology": {"sockets": True, "cores": 2, "threads": 1}}),
        ("", {"project": False}),
        ("disks/", {"volume": True}),
        ("nics/", {"network": True}),
        ("migrate/", {"host": True}),
    ],
)
def test_true_is_no_number(
    off: Guest, ask: Callable[..., Any], path: str, body: Any
) -> None:
    answer = ask("POST" if path else "PATCH", off, path, body)
    assert answer.status_code == 422, answer.content
    (sentence,) = next(iter(answer.json()["errors"].values()))
    assert "is a number" in sentence
