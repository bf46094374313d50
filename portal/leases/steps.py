"""What comes next for a lease: rows in, one step with its reason out. Pure.

    in force ── its end ──> stopped ── off ──> kept ── its days are over ──> ended
       ^                       │                │
       └────── extended ───────┴────────────────┘   (started while kept: in force again)

Each step but the last can be taken back, each is said before, and none is taken on what
is not known. A database may be older than it looks: rows that were brought back from
yesterday would stop what was extended since, and delete it. So whoever looks keeps a
`Watch`. It began anew when nobody looked for some minutes, and then everything is said
once more, with the same time to answer, before it is done. When nobody looked for an
hour, nothing at all is done until a person says that these rows are true.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from kvmweb.virt.types import DomainState

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


class State(StrEnum):
    """How far it is."""

    RUNNING = "running"  # in force, whatever its guest does
    STOPPED = "stopped"  # its end has come: its guest is being shut down
    KEPT = "kept"  # its guest is off and keeps its disks for a while
    ENDED = "ended"  # its guest was deleted


class Do(StrEnum):
    """What is to be done now."""

    NOTHING = "nothing"
    REMIND = "remind"  # say that it ends
    SHUT_DOWN = "shut-down"
    FORCE_OFF = "force-off"
    KEEP = "keep"  # it is off: its days begin
    REVIVE = "revive"  # somebody started it while it was kept
    WARN = "warn"  # say that it will be deleted
    SPARE = "spare"  # it is protected: say that it stays
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Rules:
    """How patient we are."""

    reminders: tuple[timedelta, ...] = (7 * DAY, DAY)  # before the end
    answer: timedelta = HOUR  # the least between a reminder and the stop
    shutting_down: timedelta = 10 * MINUTE  # then its plug is pulled
    warning: timedelta = DAY  # the least between a warning and the deletion


@dataclass(frozen=True, slots=True)
class Watch:
    """Since when somebody has looked without a pause, and whether a person must look."""

    since: datetime
    held: bool = False


@dataclass(frozen=True, slots=True)
class Term:
    """What a lease's row says."""

    state: State
    began_at: datetime  # or was last extended
    ends_at: datetime
    keeps: timedelta = 14 * DAY
    keeps_until: datetime | None = None
    reminded_at: datetime | None = None  # the last time, of this end
    stopping_since: datetime | None = None
    warned_at: datetime | None = None
    spared: bool = False  # it was said that it stays
    quiet_until: datetime | None = None  # something failed: not again before


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of the guest now."""

    state: DomainState
    busy: bool = False  # an operation is under way on it
    answers: bool = True  # its host does
    protected: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be done, and else what is waited for and until when."""

    do: Do
    why: str = ""
    at: datetime | None = field(default=None)  # when the next one is due, if known


_OFF = {DomainState.SHUTOFF, DomainState.CRASHED}
_ON = {  # states in which a guest can be switched off
    DomainState.RUNNING,
    DomainState.PAUSED,
    DomainState.SHUTTING_DOWN,
    DomainState.SUSPENDED,
}
HELD = (
    "Nobody looked after leases for a while: an administrator must say that they are "
    "true."
)


def next_step(
    term: Term, seen: Seen | None, now: datetime, watch: Watch, rules: Rules
) -> Step:
    """The one step to take now, at most one at a look."""
    if seen is None or term.state == State.ENDED:
        return Step(Do.NOTHING, "There is no guest.")
    if term.state == State.RUNNING:
        return _in_force(term, seen, now, watch, rules)
    if term.state == State.STOPPED:
        return _stopping(term, seen, now, watch, rules)
    return _kept(term, seen, now, watch, rules)


def reminders(term: Term, rules: Rules) -> list[datetime]:
    """When its end is said: never of a lease so short that it has just begun."""
    length = term.ends_at - term.began_at
    fitting = [before for before in rules.reminders if before < length]
    return sorted(term.ends_at - before for before in fitting or [length / 2])


def _in_force(
    term: Term, seen: Seen, now: datetime, watch: Watch, rules: Rules
) -> Step:
    due = [at for at in reminders(term, rules) if at <= now]
    if due and (term.reminded_at is None or term.reminded_at < due[-1]):
        return Step(Do.REMIND, "Its end is near.")
    if now >= term.ends_at:
        return _at_its_end(term, seen, now, watch, rules)
    coming = [at for at in reminders(term, rules) if at > now]
    return Step(Do.NOTHING, at=coming[0] if coming else term.ends_at)


def _at_its_end(
    term: Term, seen: Seen, now: datetime, watch: Watch, rules: Rules
) -> Step:
    if watch.held:
        return Step(Do.NOTHING, HELD)
    if term.reminded_at is None or term.reminded_at < watch.since:
        return Step(Do.REMIND, "Nobody was told since we look without a pause.")
    if now < (told := term.reminded_at + rules.answer):
        return Step(Do.NOTHING, "It was said a short while ago.", told)
    do = Do.KEEP if seen.state in _OFF else Do.SHUT_DOWN
    return _unless_unknown(do, term, seen, now)


def _stopping(
    term: Term, seen: Seen, now: datetime, watch: Watch, rules: Rules
) -> Step:
    if watch.held:
        return Step(Do.NOTHING, HELD)
    if seen.state in _OFF:
        return _unless_unknown(Do.KEEP, term, seen, now)
    until = (term.stopping_since or now) + rules.shutting_down
    if now < until:
        return Step(Do.NOTHING, "It is asked to shut down.", until)
    return _unless_unknown(Do.FORCE_OFF, term, seen, now)


def _kept(term: Term, seen: Seen, now: datetime, watch: Watch, rules: Rules) -> Step:
    until = term.keeps_until or now + term.keeps
    if seen.state in _ON:
        return Step(Do.REVIVE, "Somebody started it again.")
    if now < until - rules.warning:
        return Step(Do.NOTHING, at=until - rules.warning)
    if seen.protected:
        do = Do.NOTHING if term.spared or now < until else Do.SPARE
        return Step(do, "It is protected from deletion.")
    return _at_the_end_of_its_days(term, seen, now, watch, rules)


def _at_the_end_of_its_days(
    term: Term, seen: Seen, now: datetime, watch: Watch, rules: Rules
) -> Step:
    if watch.held:
        return Step(Do.NOTHING, HELD)
    if term.warned_at is None or term.warned_at < watch.since:
        return Step(Do.WARN, "It is about to be deleted.")
    until = term.keeps_until or now + term.keeps
    if now < (due := max(until, term.warned_at + rules.warning)):
        return Step(Do.NOTHING, "Its deletion was said.", due)
    return _unless_unknown(Do.DELETE, term, seen, now)


def _unless_unknown(do: Do, term: Term, seen: Seen, now: datetime) -> Step:
    """This, if the guest is where it can be done to; what cannot be known only delays."""
    if seen.busy:
        return Step(Do.NOTHING, "Something else is under way on it.")
    if not seen.answers or seen.state not in _OFF | _ON:
        return Step(Do.NOTHING, "Nobody knows what it does now.")
    trying = do != Do.KEEP  # a row of ours: nothing that could fail again
    if trying and term.quiet_until is not None and now < term.quiet_until:
        return Step(Do.NOTHING, "It is tried again later.", term.quiet_until)
    return Step(do)
