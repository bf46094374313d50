"""What people are told of, and the ways it reaches them unless they choose otherwise."""

from dataclasses import dataclass
from enum import StrEnum


class Way(StrEnum):
    """How somebody hears of it."""

    PAGE = "page"
    MAIL = "mail"
    WEBHOOK = "webhook"


WAY_WORDS = {
    Way.PAGE: "Page",
    Way.MAIL: "Mail",
    Way.WEBHOOK: "Webhook",
}


@dataclass(frozen=True, slots=True)
class Event:
    """One kind of thing that happens."""

    word: str
    label: str
    group: str
    mail: bool = True  # unless somebody chooses otherwise; page and webhook always are


_ASKED = "Requests"
_LEASES = "Machines and their end"
_ELSE = "Everything else"
_ALL = (
    Event("request.asked", "Somebody asks, and I may decide", _ASKED),
    Event(
        "request.changed", "A request that I may decide has changed", _ASKED, mail=False
    ),
    Event("request.cancelled", "Somebody withdraws a request", _ASKED, mail=False),
    Event("request.approved", "My request is approved", _ASKED),
    Event("request.rejected", "My request is rejected", _ASKED),
    Event("request.ready", "My machine is ready", _ASKED),
    Event("request.failed", "A machine could not be made", _ASKED),
    Event("lease.ending", "A machine's time is about to end", _LEASES),
    Event("lease.extended", "A machine's time was extended", _LEASES, mail=False),
    Event("lease.stopped", "A machine's time is over, and it is stopped", _LEASES),
    Event("lease.kept", "A stopped machine is kept, and then deleted", _LEASES),
    Event("lease.deleted", "A machine was deleted with its volumes", _LEASES),
    Event("lease.held", "Leases wait for an administrator", _LEASES),
    Event("guest.handed-over", "A machine was handed over", _LEASES),
    Event(
        "project.member", "I am taken into a project, or out of it", _ELSE, mail=False
    ),
    Event("invitation", "Somebody is invited", _ELSE, mail=False),
    Event("webhook.off", "A webhook was switched off, for nobody answers", _ELSE),
)
EVENTS = {event.word: event for event in _ALL}
TEST = "test"  # what "send a test" sends; nobody chooses it


def event_of(word: str) -> Event:
    """The event of this word; one that nobody listed reaches people all the same."""
    return EVENTS.get(word) or Event(word, word, _ELSE)


def usual(word: str, way: Way) -> bool:
    """Whether it comes this way unless somebody chose."""
    return way != Way.MAIL or event_of(word).mail


def groups() -> dict[str, list[Event]]:
    """All of them, as a page shows them."""
    found: dict[str, list[Event]] = {}
    for event in _ALL:
        found.setdefault(event.group, []).append(event)
    return found
