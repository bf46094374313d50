"""May guests move, where to, and what will it cost: from rows, or by asking both hosts."""

from collections.abc import Sequence
from uuid import UUID

from guests.migration.board import Board, Check
from guests.migration.deep import deep
from guests.migration.wishes import MoveWish
from guests.models import Guest
from hosts.models import Host

__all__ = ["Check", "checks", "deep"]


def checks(
    guests: Sequence[Guest],
    hosts: Sequence[Host] | None = None,
    *,
    live: bool | None = None,
    wish: MoveWish | None = None,
) -> dict[UUID, list[Check]]:
    """For each guest every host, by name; its own is among them and never ok.

    Rows only; a fixed number of queries for any number of both. `live`: as if it ran, or
    as if it were off; None: as it is now. `wish` is what the estimates are for.
    """
    board = Board(guests, live=live)
    wanted = board.ends.hosts() if hosts is None else hosts
    return {
        guest.pk: [board.check(guest, host, wish) for host in wanted]
        for guest in guests
    }
