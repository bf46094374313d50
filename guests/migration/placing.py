"""Where a guest goes that was given no host, and what a move there is expected to take."""

from typing import Any

from guests.migration import questions
from guests.migration.questions import Check
from guests.migration.wishes import LIVE, MoveWish
from guests.models import Guest
from hosts.models import Host
from kvmweb.errors import Conflict, Invalid


def chosen(guest: Guest, wish: MoveWish) -> tuple[Host, dict[str, Any]]:
    """The host, and the estimate of a move there as `Move.predicted` has it.

    Raises Invalid for a host that is none, Conflict with the reasons when none fits.
    """
    if wish.host is not None:
        return _named(guest, wish)
    checks = questions.checks([guest], live=wish.mode == LIVE, wish=wish)[guest.pk]
    fitting = [check for check in checks if check.ok and not check.host.maintenance]
    if not fitting:
        told = " ".join(_why(check) for check in checks if check.host != guest.host)
        raise Conflict(f"No host fits {guest.name}. {told or 'There is no other one.'}")
    best = min(fitting, key=_rank)
    return best.host, predicted(best)


def predicted(check: Check) -> dict[str, Any]:
    """An estimate as a move's row keeps it."""
    return {
        "seconds": check.estimate.seconds,
        "downtime_ms": check.estimate.downtime_ms,
        "bytes": check.estimate.bytes,
        "converges": check.estimate.converges,
    }


def _named(guest: Guest, wish: MoveWish) -> tuple[Host, dict[str, Any]]:
    host = Host.objects.filter(pk=wish.host).first()
    if host is None:
        sentence = "There is no such host."
        raise Invalid(sentence, errors={"host": [sentence]})
    live = wish.mode == LIVE
    checks = questions.checks([guest], [host], live=live, wish=wish)[guest.pk]
    return host, next((predicted(each) for each in checks), {})


def _rank(check: Check) -> tuple[bool, int, str]:
    """What need not be copied first, then where most memory is free."""
    free = check.host.memory_free_bytes or 0
    return check.storage == "copy", -free, check.host.name


def _why(check: Check) -> str:
    reasons = " ".join(each.message for each in check.reasons)
    if check.host.maintenance:
        reasons = "It is in maintenance."
    return f"{check.host.name}: {reasons}"
