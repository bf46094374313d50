"""One UUID on two hosts: which of them is its home, and what is a conflict."""

from dataclasses import replace
from typing import Any

from guests import facts
from guests.models import Guest
from guests.queries import MOVE
from hosts.models import Host
from kvmweb.operations.models import Operation
from kvmweb.virt.types import DomainState, Lost
from tests.guests.conftest import domain, only, what

RUNNING, SHUTOFF = DomainState.RUNNING, DomainState.SHUTOFF
PAUSED, GONE, UNKNOWN = DomainState.PAUSED, DomainState.GONE, DomainState.UNKNOWN
LOST = Lost("It does not answer.", "", "host_unreachable")


def test_one_uuid_on_two_hosts_is_a_conflict_and_nothing_is_lost(
    kvm1: Host, kvm2: Host
) -> None:
    web = domain("web", RUNNING)
    facts.record_look(kvm1, [web])
    facts.record_look(kvm2, [replace(web, state=SHUTOFF, name="web-copy")])
    guest = only()
    assert (guest.host, guest.name) == (kvm1, "web")
    twin = guest.twins.get()
    assert (twin.host, twin.name, twin.state) == (kvm2, "web-copy", "shutoff")
    facts.record_look(kvm2, [])
    assert not guest.twins.exists()
    assert only().host == kvm1


def test_the_other_host_becomes_its_home_when_the_first_loses_it(
    kvm1: Host, kvm2: Host, user: Any
) -> None:
    web = domain("web", RUNNING)
    facts.record_domain(kvm1, web, "")
    Guest.objects.update(owner=user)
    facts.record_domain(kvm2, replace(web, memory_bytes=2**29), "started")
    facts.record_vanished(kvm1, web.uuid, "undefined")
    guest = only()
    assert (guest.host, guest.state, guest.owner) == (kvm2, "running", user)
    assert guest.memory_bytes == 2**29
    assert not guest.twins.exists()
    assert what(guest) == ["found", "moved"]


def test_where_it_runs_is_its_home(kvm1: Host, kvm2: Host) -> None:
    web = domain("web", RUNNING)
    facts.record_domain(kvm1, web, "")
    facts.record_domain(kvm2, web, "")
    facts.record_domain(kvm1, replace(web, state=SHUTOFF, reason="migrated"), "")
    guest = only()
    assert guest.host == kvm2
    assert [(twin.host, twin.state) for twin in guest.twins.all()] == [
        (kvm1, "shutoff")
    ]


def test_one_end_of_a_migration_is_no_conflict(kvm1: Host, kvm2: Host) -> None:
    web = domain("web", RUNNING)
    facts.record_domain(kvm1, web, "")
    coming = replace(web, state=PAUSED, reason="migration")
    facts.record_domain(kvm2, coming, "")
    assert only().host == kvm1
    assert only().twins.get().moving
    facts.record_domain(kvm2, web, "resumed")
    facts.record_vanished(kvm1, web.uuid, "undefined")
    assert (only().host, only().state) == (kvm2, "running")


def test_what_a_move_of_ours_leaves_behind_is_no_conflict_until_it_has_ended(
    kvm1: Host, kvm2: Host
) -> None:
    web = domain("web", RUNNING)
    facts.record_domain(kvm1, web, "")
    Operation.objects.create(kind=MOVE, guest=web.uuid, state="running")
    facts.record_domain(kvm2, web, "resumed")
    left = replace(web, state=SHUTOFF, reason="migrated")
    facts.record_domain(kvm1, left, "stopped")
    assert (only().host, only().twins.get().moving) == (kvm2, True)
    Operation.objects.update(state="succeeded")
    facts.record_domain(kvm1, left, "")
    assert not only().twins.get().moving  # a conflict now: it stayed


def test_a_guest_seen_running_elsewhere_while_its_host_is_lost_moves(
    kvm1: Host, kvm2: Host
) -> None:
    web = domain("web", RUNNING)
    facts.record_look(kvm1, [web])
    facts.host_lost(kvm1, LOST)
    facts.record_look(kvm2, [web])
    guest = only()
    assert (guest.host, guest.state) == (kvm2, "running")
    assert guest.twins.get().state == UNKNOWN
    facts.record_look(kvm1, [])
    assert not guest.twins.exists()


def test_a_removed_host_leaves_its_guests_gone(kvm1: Host, kvm2: Host) -> None:
    web, db = domain("web"), domain("db")
    facts.record_look(kvm1, [web, db])
    facts.record_look(kvm2, [db])
    facts.host_removed(kvm1)
    kvm1.delete()
    assert Guest.objects.get(name="web").state == GONE
    assert (Guest.objects.get(name="db").state, Guest.objects.get(name="db").host) == (
        "shutoff",
        kvm2,
    )
