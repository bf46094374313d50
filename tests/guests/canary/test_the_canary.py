"""A canary: which ways it flies, when, who may see it out, and that it is no guest."""

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from guests import facts
from guests.canary import paper, queries, route, rows, services
from guests.canary.models import Canary, CanaryResult, CanarySchedule
from guests.models import Guest
from hosts.models import Host
from kvmweb.errors import Conflict, Invalid
from kvmweb.operations.models import Operation
from kvmweb.virt.types import DomainState
from tests.guests.conftest import domain

Hosts = Callable[..., Host]


@given(st.lists(st.integers(), unique=True, max_size=9))
def test_every_way_is_flown_once_and_none_for_nothing(hosts: list[int]) -> None:
    legs = route.legs(hosts)

    assert sorted(legs) == sorted(itertools.permutations(hosts, 2))
    assert all(a[1] == b[0] for a, b in itertools.pairwise(legs))
    if legs:
        assert legs[0][0] == legs[-1][1]


def test_it_is_a_guest_without_disks_network_or_screen(host_of: Hosts) -> None:
    uuid = uuid4()
    host = host_of("kvm1", arch="x86_64", virt_type_wanted="qemu")
    xml = paper.document("kvmweb-canary-1", uuid, host, "/a/kernel", "/a/initrd")

    assert str(uuid) in xml
    assert "/a/kernel" in xml
    for device in ("<disk", "<interface", "<graphics", "<hostdev"):
        assert device not in xml
    moved = paper.elsewhere(xml, "/b/kernel", "/b/initrd")
    assert "/a/" not in moved
    assert "/b/initrd" in moved


def test_what_a_host_says_of_one_makes_no_guest(host_of: Hosts) -> None:
    host = host_of("kvm1")
    bird = Canary.objects.create(uuid=uuid4(), name="bird", operation=uuid4())
    seen = domain("bird", DomainState.RUNNING, bird.uuid)
    other = domain("web", DomainState.RUNNING)

    facts.record_look(host, [seen, other])
    facts.record_domain(host, seen, "migrated-in")
    facts.record_vanished(host, bird.uuid, "migrated-away")
    facts.record_look(host, [other])

    assert [row.name for row in Guest.objects.all()] == ["web"]


def test_two_never_fly_at_once(host_of: Hosts) -> None:
    host_of("kvm1")
    with pytest.raises(Conflict, match="two hosts"):
        services.run(by=None)
    host_of("kvm2")
    host_of("kvm3", state=Host.State.DOWN)
    host_of("kvm4", maintenance=True)

    operation = services.run(by=None)

    assert len(operation.params["hosts"]) == 2
    with pytest.raises(Conflict, match="out already") as refused:
        services.run(by=None)
    assert refused.value.operation == str(operation.pk)


def test_it_flies_once_a_night_and_only_where_switched_on(
    host_of: Hosts, admin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    host_of("kvm1")
    host_of("kvm2")
    night = datetime(2026, 5, 4, 2, 30, tzinfo=UTC)

    def flown_at(moment: datetime) -> int:
        monkeypatch.setattr(timezone, "now", lambda: moment)
        services.look()
        Operation.objects.filter(kind=rows.RUN).update(state="succeeded")
        return Operation.objects.filter(kind=rows.RUN).count()

    assert flown_at(night) == 0
    services.schedule(enabled=True, hour=2, by=admin)
    assert flown_at(night) == 1
    assert flown_at(night + timedelta(minutes=20)) == 1
    assert flown_at(night + timedelta(hours=3)) == 1
    assert flown_at(night + timedelta(days=1)) == 2
    with pytest.raises(Invalid):
        services.schedule(enabled=True, hour=24, by=admin)


def test_what_an_ended_round_had_to_leave_is_looked_after(host_of: Hosts) -> None:
    host = host_of("kvm1", state=Host.State.DOWN)
    old = timezone.now() - timedelta(minutes=5)
    bird = Canary.objects.create(
        uuid=uuid4(), name="bird", operation=uuid4(), hosts=[host.pk], made_at=old
    )

    services.look()
    assert not Operation.objects.exists()
    Host.objects.update(state=Host.State.UP)
    services.look()
    services.look()

    assert [row.kind for row in Operation.objects.all()] == [rows.TIDY]
    bird.hosts, bird.made_at = [], old - timedelta(days=2)
    bird.save()
    services.look()
    assert not Canary.objects.exists()


def _flight(source: Host, target: Host, *, ok: bool, days: int = 0) -> None:
    CanaryResult.objects.create(
        source=source,
        target=target,
        operation=uuid4(),
        ok=ok,
        seconds=1.2 if ok else None,
        downtime_ms=80 if ok else None,
        sentence="" if ok else "The target has no such machine.",
        at=timezone.now() - timedelta(days=days),
    )


def test_the_matrix_says_what_was_proved_last_and_what_broke(
    host_of: Hosts, as_admin: Client, django_assert_num_queries: Any
) -> None:
    a, b, c = (host_of(name) for name in ("kvm1", "kvm2", "kvm3"))
    _flight(a, b, ok=False, days=3)
    _flight(a, b, ok=True)
    _flight(b, a, ok=True, days=2)
    _flight(b, a, ok=False)
    _flight(b, c, ok=True, days=30)

    with django_assert_num_queries(6):
        board = queries.board()

    words = {(cell.source.name, cell.target.name): cell.word for cell in board.cells}
    assert words["kvm1", "kvm2"] == "good"
    assert words["kvm2", "kvm1"] == "broken"
    assert words["kvm2", "kvm3"] == "old"
    assert words["kvm3", "kvm1"] == "unknown"
    [broken] = board.broken
    assert broken.good_at is not None
    page = as_admin.get("/moves/canary/").content.decode()
    assert "The target has no such machine." in page
    assert "stood 80 ms" in page
    ways = as_admin.get("/api/v1/canary/").json()["ways"]
    assert len(ways) == 6


def test_it_is_asked_for_and_scheduled_from_the_page(
    host_of: Hosts, as_admin: Client
) -> None:
    host_of("kvm1")
    host_of("kvm2")

    as_admin.post("/moves/canary/run/")
    as_admin.post("/moves/canary/schedule/", {"enabled": "on", "hour": "4"})
    wrong = as_admin.post("/moves/canary/schedule/", {"enabled": "on", "hour": "99"})

    assert rows.active() is not None
    row = CanarySchedule.objects.get()
    assert (row.enabled, row.hour) == (True, 4)
    assert wrong.status_code == 422
