"""A move whose end one host has not told yet: its row says so, and it is asked for again."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from guests.migration import check_tasks
from guests.migration.aftermath import UNHEARD, Told, Where, judged
from guests.migration.models import Move
from guests.migration.settling import KIND
from hosts.models import Host
from kvmweb.operations.ending import End, end
from kvmweb.operations.models import Operation
from kvmweb.virt.migration import Whereabouts
from kvmweb.virt.types import DomainState

Hosts = Callable[[str], Host]
_OPEN = {"open": True, "begun": True}


@pytest.fixture(autouse=True)
def _redis(redis_server: str) -> None:
    """Hints go there."""


def _move(source: Host, target: Host, **notes: Any) -> Operation:
    """A move that runs, with what it has noted so far."""
    operation = Operation.objects.create(
        kind="guest.migrate",
        state="running",
        guest=uuid4(),
        guest_name="web",
        host=source.pk,
        host_name=source.name,
        params={"wish": {}, "target": target.pk, "target_name": target.name},
        result={"move": notes},
    )
    Move.objects.create(
        operation=operation.pk,
        guest=operation.guest,
        guest_name="web",
        source=source,
        source_name=source.name,
        target=target,
        target_name=target.name,
        mode="live",
        storage="shared",
    )
    return operation


def _failed(operation: Operation, sentence: str = "Nobody knows.") -> Move:
    """How the row of the move reads once its operation has failed."""
    end(
        Operation.objects.filter(pk=operation.pk),
        End(Operation.State.FAILED, sentence, "conflict"),
    )
    return Move.objects.get(operation=operation.pk)


def test_a_move_never_stays_without_an_outcome(host_of: Hosts) -> None:
    here, there = host_of("kvm1"), host_of("kvm2")
    plain = _failed(_move(here, there), "It did not begin.")
    assert (plain.outcome, plain.open) == ("failed", False)
    assert plain.sentence == "It did not begin."
    assert plain.finished_at is not None
    unknown = _failed(_move(here, there, **_OPEN), "It was interrupted 3 times.")
    assert (unknown.outcome, unknown.open) == ("unknown", True)
    stayed = _failed(_move(here, there, **_OPEN, known=True), "It goes on.")
    assert (stayed.outcome, stayed.open) == ("failed", True)


def test_it_is_asked_for_again_once_both_hosts_answer(host_of: Hosts) -> None:
    here, there = host_of("kvm1"), host_of("kvm2")
    operation = _move(here, there, **_OPEN)
    _failed(operation)
    _state(there, "down")
    check_tasks.settle()
    assert not Operation.objects.filter(kind=KIND).exists()
    _state(there, "up")
    check_tasks.settle()
    check_tasks.settle()
    (settling,) = Operation.objects.filter(kind=KIND)
    assert settling.guest == operation.guest  # nothing else is done to it meanwhile
    assert settling.params["settles"] == str(operation.pk)
    assert settling.params["move"]["open"]


def test_each_time_in_vain_makes_the_wait_longer(host_of: Hosts) -> None:
    _failed(_move(host_of("kvm1"), host_of("kvm2"), **_OPEN))
    for tries, minutes in enumerate((2, 4, 8), start=1):
        check_tasks.settle()
        queued = Operation.objects.filter(kind=KIND, state="queued")
        end(queued, End(Operation.State.FAILED, "Not yet.", "host_timeout"))
        _age(minutes - 1)
        check_tasks.settle()
        assert Operation.objects.filter(kind=KIND).count() == tries
        _age(minutes + 1)


def test_who_moved_again_or_lost_a_host_is_asked_for_no_more(host_of: Hosts) -> None:
    here, there = host_of("kvm1"), host_of("kvm2")
    old = _failed(_move(here, there, **_OPEN))
    newer = _move(here, there)
    Move.objects.filter(operation=newer.pk).update(guest=old.guest)
    check_tasks.settle()
    old.refresh_from_db()
    assert (old.outcome, old.open) == ("unknown", False)
    assert "moved again" in old.sentence
    lost = _failed(_move(here, host_of("kvm3"), **_OPEN))
    Host.objects.filter(name="kvm3").delete()
    check_tasks.settle()
    lost.refresh_from_db()
    assert (lost.open, "was removed" in lost.sentence) == (False, True)
    assert not Operation.objects.filter(kind=KIND).exists()


def _at(reason: str, *, state: str = "running", active: bool = True) -> Whereabouts:
    return Whereabouts(
        state=DomainState(state),
        reason=reason,
        active=active,
        persistent=True,
        autostart=False,
        managed_save=False,
        snapshots=0,
        job="",
    )


_HALF_HERE = _at("postcopy failed", state="paused")
_HALF_THERE = _at("postcopy failed")
_OFF = _at("shutdown", state="shutoff", active=False)


@pytest.mark.parametrize(
    ("here", "there", "where"),
    [
        (_HALF_HERE, _HALF_THERE, Where.STUCK),
        (_HALF_HERE, _at("postcopy"), Where.STUCK),
        (_HALF_HERE, UNHEARD, Where.STUCK),
        (UNHEARD, _HALF_THERE, Where.STUCK),
        (_HALF_HERE, None, Where.HALF),  # its half here can never run: it is ended
        (_OFF, _HALF_THERE, Where.LOST),
        (None, _HALF_THERE, Where.LOST),
        (None, _at("migrated"), Where.MOVED),
        (_OFF, _at("migrated"), Where.HALF),  # a definition is left behind
        (UNHEARD, UNHEARD, Where.UNKNOWN),
    ],
)
def test_what_two_hosts_say_of_a_post_copy_that_broke_off(
    here: Told, there: Told, where: Where
) -> None:
    assert judged(here, there) == where


def _state(host: Host, state: str) -> None:
    Host.objects.filter(pk=host.pk).update(state=state)


def _age(minutes: int) -> None:
    """It was asked in vain so long ago."""
    at = timezone.now() - timedelta(minutes=minutes)
    Operation.objects.filter(kind=KIND).update(created_at=at)
    Move.objects.update(started_at=at - timedelta(hours=1))
