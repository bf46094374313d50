"""What comes next for a lease, decided from rows alone: time is passed in."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from kvmweb.virt.types import DomainState
from portal.leases.steps import (
    DAY,
    HELD,
    HOUR,
    MINUTE,
    Do,
    Rules,
    Seen,
    State,
    Term,
    Watch,
    next_step,
    reminders,
)

RULES = Rules()
START = datetime(2030, 1, 1, 12, tzinfo=UTC)
END = START + 30 * DAY
LONG_AGO = Watch(START - 100 * DAY)
ON, OFF = Seen(DomainState.RUNNING), Seen(DomainState.SHUTOFF)
FRESH = Term(State.RUNNING, START, END)
KEPT_TO = END + 14 * DAY
KEPT = replace(FRESH, state=State.KEPT, keeps_until=KEPT_TO)
WARNED = replace(KEPT, warned_at=KEPT_TO - DAY)


def step(term: Term, seen: Seen | None, now: datetime, watch: Watch = LONG_AGO) -> Do:
    """What is to be done."""
    return next_step(term, seen, now, watch, RULES).do


def test_it_is_left_alone_until_a_week_before_its_end() -> None:
    said = next_step(FRESH, ON, START + 5 * DAY, LONG_AGO, RULES)
    assert said.do == Do.NOTHING
    assert said.at == END - 7 * DAY
    assert step(FRESH, ON, END - 7 * DAY) == Do.REMIND


def test_each_reminder_comes_once() -> None:
    week = replace(FRESH, reminded_at=END - 7 * DAY)
    assert step(week, ON, END - 2 * DAY) == Do.NOTHING
    assert step(week, ON, END - DAY) == Do.REMIND
    assert step(replace(week, reminded_at=END - DAY), ON, END - MINUTE) == Do.NOTHING


def test_a_short_lease_is_not_reminded_of_at_its_beginning() -> None:
    days = replace(FRESH, ends_at=START + 3 * DAY)
    assert reminders(days, RULES) == [START + 2 * DAY]
    hours = replace(FRESH, ends_at=START + 4 * HOUR)
    assert reminders(hours, RULES) == [START + 2 * HOUR]
    assert step(hours, ON, START + HOUR) == Do.NOTHING


def test_at_its_end_it_is_shut_down_when_that_was_said() -> None:
    told = replace(FRESH, reminded_at=END - DAY)
    assert step(told, ON, END) == Do.SHUT_DOWN
    assert step(told, OFF, END) == Do.KEEP
    paused = Seen(DomainState.PAUSED)
    assert step(told, paused, END) == Do.SHUT_DOWN


def test_nobody_is_surprised() -> None:
    assert step(FRESH, ON, END + DAY) == Do.REMIND
    late = replace(FRESH, reminded_at=END + DAY)
    assert step(late, ON, END + DAY + 59 * MINUTE) == Do.NOTHING
    assert step(late, ON, END + DAY + HOUR) == Do.SHUT_DOWN


def test_its_plug_is_pulled_when_it_does_not_listen() -> None:
    asked = replace(FRESH, state=State.STOPPED, stopping_since=END)
    assert step(asked, ON, END + 9 * MINUTE) == Do.NOTHING
    assert step(asked, ON, END + 10 * MINUTE) == Do.FORCE_OFF
    tried = replace(asked, quiet_until=END + 15 * MINUTE)
    assert step(tried, ON, END + 11 * MINUTE) == Do.NOTHING
    assert step(asked, OFF, END + MINUTE) == Do.KEEP


def test_it_is_warned_of_and_then_deleted() -> None:
    assert step(KEPT, OFF, KEPT_TO - 2 * DAY) == Do.NOTHING
    assert step(KEPT, OFF, KEPT_TO - DAY) == Do.WARN
    assert step(WARNED, OFF, KEPT_TO - MINUTE) == Do.NOTHING
    assert step(WARNED, OFF, KEPT_TO) == Do.DELETE


def test_a_late_warning_delays_the_deletion_by_a_day() -> None:
    late = replace(KEPT, warned_at=KEPT_TO + 3 * DAY)
    assert step(late, OFF, KEPT_TO + 3 * DAY + 23 * HOUR) == Do.NOTHING
    assert step(late, OFF, KEPT_TO + 4 * DAY) == Do.DELETE


def test_started_while_kept_it_is_in_force_again() -> None:
    for state in (DomainState.RUNNING, DomainState.PAUSED):
        assert step(WARNED, Seen(state), KEPT_TO + 9 * DAY) == Do.REVIVE


def test_what_is_protected_is_never_deleted() -> None:
    spared = Seen(DomainState.SHUTOFF, protected=True)
    assert step(WARNED, spared, KEPT_TO - HOUR) == Do.NOTHING
    assert step(WARNED, spared, KEPT_TO) == Do.SPARE
    assert step(replace(WARNED, spared=True), spared, KEPT_TO + 999 * DAY) == Do.NOTHING


@pytest.mark.parametrize(
    "seen",
    [
        Seen(DomainState.UNKNOWN),
        Seen(DomainState.GONE),
        Seen(DomainState.SHUTOFF, answers=False),
        Seen(DomainState.SHUTOFF, busy=True),
    ],
)
def test_what_is_not_known_only_delays(seen: Seen) -> None:
    told = replace(FRESH, reminded_at=END - DAY)
    asked = replace(FRESH, state=State.STOPPED, stopping_since=END)
    for term in (told, asked, WARNED):
        assert step(term, seen, KEPT_TO + 99 * DAY) == Do.NOTHING


def test_there_is_nothing_to_do_for_what_is_not_there() -> None:
    assert step(WARNED, None, KEPT_TO + DAY) == Do.NOTHING
    gone = replace(WARNED, state=State.ENDED)
    assert step(gone, OFF, KEPT_TO + DAY) == Do.NOTHING


def test_after_a_pause_everything_is_said_once_more() -> None:
    now = KEPT_TO + HOUR
    back = Watch(now - MINUTE)
    assert step(WARNED, OFF, now, back) == Do.WARN
    again = replace(WARNED, warned_at=now)
    assert step(again, OFF, now + 23 * HOUR, back) == Do.NOTHING
    assert step(again, OFF, now + DAY, back) == Do.DELETE
    told = replace(FRESH, reminded_at=END - DAY)
    assert step(told, ON, END + HOUR, Watch(END)) == Do.REMIND


def test_held_it_stops_and_deletes_nothing() -> None:
    held = Watch(START - 100 * DAY, held=True)
    told = replace(FRESH, reminded_at=END - DAY)
    asked = replace(FRESH, state=State.STOPPED, stopping_since=END)
    for term, seen in ((told, ON), (told, OFF), (asked, ON), (asked, OFF)):
        assert step(term, seen, END + DAY, held) == Do.NOTHING
    said = next_step(WARNED, OFF, KEPT_TO + DAY, held, RULES)
    assert (said.do, said.why) == (Do.NOTHING, HELD)


moment = some.integers(0, 90 * 24).map(lambda hours: START + timedelta(hours=hours))
maybe = some.one_of(some.none(), moment)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    term=some.builds(
        Term,
        state=some.sampled_from(State),
        began_at=some.just(START),
        ends_at=moment,
        keeps=some.integers(0, 30).map(lambda count: timedelta(days=count)),
        keeps_until=maybe,
        reminded_at=maybe,
        stopping_since=maybe,
        warned_at=maybe,
        spared=some.booleans(),
        quiet_until=maybe,
    ),
    seen=some.builds(
        Seen,
        state=some.sampled_from(DomainState),
        busy=some.booleans(),
        answers=some.booleans(),
        protected=some.booleans(),
    ),
    now=moment,
    watch=some.builds(Watch, since=moment, held=some.booleans()),
)
def test_whatever_rows_say_nothing_is_deleted_unsaid(
    term: Term, seen: Seen, now: datetime, watch: Watch
) -> None:
    did = step(term, seen, now, watch)
    if did in {Do.SHUT_DOWN, Do.FORCE_OFF, Do.DELETE, Do.KEEP}:
        assert not watch.held
        assert seen.answers
        assert not seen.busy
        assert now >= term.ends_at or term.state != State.RUNNING
    if did == Do.SHUT_DOWN:
        assert term.reminded_at is not None
        assert watch.since <= term.reminded_at <= now - RULES.answer
    if did == Do.DELETE:
        assert term.state == State.KEPT
        assert not seen.protected
        assert seen.state in {DomainState.SHUTOFF, DomainState.CRASHED}
        assert term.warned_at is not None
        assert watch.since <= term.warned_at <= now - RULES.warning
