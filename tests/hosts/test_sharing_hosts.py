"""Watchers share the hosts by leases: evenly, one each, and nobody's for long."""

from datetime import timedelta

import pytest
from django.utils import timezone

from hosts.models import Host, Watcher
from hosts.watcher.leases import LEASE, Leases


@pytest.fixture
def hosts(db: None) -> list[Host]:
    """Five hosts nobody watches."""
    return [Host.objects.create(name=f"kvm{n}", transport="test") for n in range(5)]


def dies(leases: Leases) -> None:
    """The watcher is killed, and its time has passed."""
    past = timezone.now() - timedelta(seconds=1)
    Watcher.objects.filter(name=leases.name).update(alive_until=past)
    Host.objects.filter(watcher=leases.name).update(watched_until=past)


def due(leases: Leases) -> set[int]:
    """A turn at which everything is renewed."""
    leases._renewed_at = float("-inf")
    return set(leases.turn())


def test_a_lone_watcher_takes_all(hosts: list[Host]) -> None:
    assert due(Leases("a")) == {host.pk for host in hosts}
    ends = Host.objects.values_list("watched_until", flat=True)
    assert all(timezone.now() < end < timezone.now() + 2 * LEASE for end in ends if end)


def test_two_share_evenly_and_never_the_same(hosts: list[Host]) -> None:
    first, second = Leases("a"), Leases("b")
    assert len(due(first)) == 5
    assert due(second) == set()
    assert len(due(first)) == 3
    assert len(due(second)) == 2
    assert due(first).isdisjoint(due(second))


def test_one_takes_over_what_the_other_held(hosts: list[Host]) -> None:
    first, second = Leases("a"), Leases("b")
    for leases in (first, second, first, second):
        due(leases)
    dies(first)
    assert set(second.turn()) == {host.pk for host in hosts}  # at the very next turn


def test_who_leaves_gives_everything_back_at_once(hosts: list[Host]) -> None:
    first, second = Leases("a"), Leases("b")
    for leases in (first, second, first, second):
        due(leases)
    first.leave()
    assert len(second.turn()) == 5
    assert list(Watcher.objects.values_list("name", flat=True)) == ["b"]


def test_a_lease_that_ran_out_but_was_not_taken_goes_on(hosts: list[Host]) -> None:
    leases = Leases("a")
    due(leases)
    dies(leases)
    assert len(due(leases)) == 5


def test_a_lease_that_was_taken_is_lost(hosts: list[Host]) -> None:
    first, second = Leases("a"), Leases("b")
    due(first)
    dies(first)
    due(second)
    mine = due(first)
    held = set(Host.objects.filter(watcher="b").values_list("pk", flat=True))
    assert mine.isdisjoint(held)


def test_another_way_to_a_host_is_another_wish(hosts: list[Host]) -> None:
    leases = Leases("a")
    before = leases.turn()[hosts[0].pk]
    assert leases.turn()[hosts[0].pk] == before
    Host.objects.filter(pk=hosts[0].pk).update(port=1)
    assert leases.turn()[hosts[0].pk] != before
    Host.objects.filter(pk=hosts[0].pk).update(port=None, name="other", tags=["x"])
    assert leases.turn()[hosts[0].pk] == before


def test_a_new_host_is_taken_at_the_next_turn(hosts: list[Host]) -> None:
    leases = Leases("a")
    leases.turn()
    new = Host.objects.create(name="new", transport="test")
    assert new.pk in leases.turn()
    new.delete()
    assert len(leases.turn()) == 5
