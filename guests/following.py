"""A guest that moves while somebody looks at its screen: where it is, asked anew.

What is believed of the way is only its UUID: the rights are asked again, and the host
comes from the guest's row, which follows what the watchers hear.
"""

import time

from guests import console
from guests.models import ConsoleTicket, Guest
from guests.queries import is_moving
from hosts.models import Host
from kvmweb.errors import Conflict
from kvmweb.virt.types import DomainState

MOVING_S = 30.0  # the longest a screen waits for a move to end
NEWS_S = 6.0  # how long the news of a move may take when we did not begin it
_OFF_S = 1.5  # one that is off has most likely not moved
_LOOK_S = 0.1


def home_after(
    ticket: ConsoleTicket, left: int | None, *, patience_s: float = 0
) -> ConsoleTicket:
    """The ticket anew, once its guest is on another host than the one with this id.

    A move that is known to go on is waited for; else only `patience_s`. Raises Conflict
    when the guest did not move, and what `console.need_right` raises.
    """
    begun = time.monotonic()
    while True:
        fresh = ConsoleTicket.objects.select_related(
            "user", "guest__host", "token"
        ).get(pk=ticket.pk)
        console.need_right(fresh)
        guest, waited_s = fresh.guest, time.monotonic() - begun
        home = guest.host
        if (
            home is not None
            and home.pk != left
            and home.state == Host.State.UP
            and guest.state in console.ON
        ):
            return fresh
        if waited_s >= _patience_s(guest, patience_s):
            raise Conflict(f"{guest.name} has no screen now.")
        time.sleep(_LOOK_S)


def _patience_s(guest: Guest, patience_s: float) -> float:
    if is_moving(guest):
        return MOVING_S
    off = guest.state in {DomainState.SHUTOFF, DomainState.CRASHED}
    return min(patience_s, _OFF_S) if off else patience_s
