"""Guests as something to be sent: what is known of their memory. Fixed queries."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from guests.migration.check_models import Pace
from guests.migration.cost import Load
from guests.migration.models import Move
from guests.models import Guest
from kvmweb import samples
from kvmweb.virt.types import GuestSample


class Loads:
    """What rows and the latest samples say of these guests. One query."""

    def __init__(self, guests: Sequence[Guest], paces: Mapping[UUID, Pace]) -> None:
        uuids = [guest.pk for guest in guests]
        self._paces = paces
        self._samples = samples.latest(uuids)
        self._moves: dict[UUID, Move] = {}
        rows = Move.objects.filter(
            guest__in=uuids, outcome=Move.Outcome.SUCCEEDED, mode=Move.Mode.LIVE
        ).exclude(transferred_bytes=None)
        for move in rows.exclude(storage=Move.Storage.COPY).order_by("started_at"):
            self._moves[move.guest] = move

    def of(self, guest: Guest, *, live: bool, disk_bytes: int) -> Load:
        """This guest, with so much of its disks."""
        sample = self._samples.get(guest.pk)
        pace, move = self._paces.get(guest.pk), self._moves.get(guest.pk)
        return Load(
            memory_bytes=guest.memory_bytes,
            used_bytes=_used(pace, move, sample),
            dirty_bytes_s=_dirty(pace, move),
            disk_bytes=disk_bytes,
            disk_dirty_bytes_s=(sample.disk_write_bytes_s or 0.0) if sample else 0.0,
            live=live,
        )


def _used(
    pace: Pace | None, move: Move | None, sample: GuestSample | None
) -> int | None:
    """What was sent the last time, but twice; else what its host has in use for it."""
    if move and move.transferred_bytes:
        return _sent_once(move, _dirty(pace, move) or 0.0)
    if pace and pace.used_bytes is not None:
        return pace.used_bytes
    return sample.memory_host_bytes if sample else None


def _sent_once(move: Move, dirty_bytes_s: float) -> int:
    """The first round of a move whose later rounds sent what was written meanwhile.

    Each is as large as the one before times dirty rate over link rate.
    """
    sent, rounds = move.transferred_bytes or 0, max(move.iterations or 1, 1)
    again = dirty_bytes_s / (move.memory_rate_bytes_s or float("inf"))
    share = sum(min(again, 1.0) ** turn for turn in range(rounds))
    return int(sent / share)


def _dirty(pace: Pace | None, move: Move | None) -> float | None:
    """The newer of what was measured and what the last move saw."""
    if pace and pace.dirty_bytes_s is not None:
        return float(pace.dirty_bytes_s)
    if move and move.dirty_bytes_s is not None:
        return float(move.dirty_bytes_s)
    return None
