"""Where a guest goes that was given no host, and what a move there is expected to take."""

from typing import Any

from guests.draining import gathering
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
    plan = gathering.planned([guest], leaving=[guest.host_id or 0], wish=wish)
    for move in plan.moves:
        return Host.objects.get(pk=move.host), move.offer.as_json()
    told = " ".join(
        f"{reason.host}: {reason.message}".removeprefix(": ")
        for stuck in plan.stuck
        for reason in stuck.reasons
    )
    raise Conflict(f"No host fits {guest.name}. {told}")


def predicted(check: Check) -> dict[str, Any]:
    """An estimate as a move's row keeps it."""
    return {
        "seconds": check.estimate.seconds,
        "downtime_ms": check.estimate.downtime_ms,
        "bytes": check.estimate.bytes,
        "converges": check.estimate.converges,
    }


def _named(guest: Guest, wish: MoveWish) -> tuple[Host, dict[str, Any]]:
    host = Host.objects.filter(pk=wish.host or 0).first()
    if host is None:
        sentence = "There is no such host."
        raise Invalid(sentence, errors={"host": [sentence]})
    live = wish.mode == LIVE
    checks = questions.checks([guest], [host], live=live, wish=wish)[guest.pk]
    return host, next((predicted(each) for each in checks), {})
