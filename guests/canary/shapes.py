"""What the API of the canary takes and answers."""

from typing import Any

from ninja import Schema
from pydantic import Field

from guests.canary.queries import Board, Cell
from hosts.json import moment
from kvmweb.doors import Strict


class WayOut(Schema):
    """One way between two hosts, and what was proved of it; null: never flown."""

    source: int
    source_name: str
    target: int
    target_name: str
    ok: bool | None
    seconds: float | None
    downtime_ms: int | None
    rate_bytes_s: int | None
    sentence: str
    at: str | None
    good_at: str | None


class CanaryOut(Schema):
    """Every way, and when a canary flies."""

    ways: list[WayOut]
    enabled: bool
    hour: int
    active_operation: str | None


class ScheduleIn(Strict):
    """When it flies by itself."""

    enabled: bool
    hour: int = Field(default=3, ge=0, le=23)


def canary_json(board: Board) -> dict[str, Any]:
    """All of it."""
    return {
        "ways": [_way(cell) for cell in board.cells],
        "enabled": board.schedule.enabled,
        "hour": board.schedule.hour,
        "active_operation": str(board.active.pk) if board.active else None,
    }


def _way(cell: Cell) -> dict[str, Any]:
    last = cell.last
    return {
        "source": cell.source.pk,
        "source_name": cell.source.name,
        "target": cell.target.pk,
        "target_name": cell.target.name,
        "ok": last.ok if last else None,
        "seconds": last.seconds if last else None,
        "downtime_ms": last.downtime_ms if last else None,
        "rate_bytes_s": last.rate_bytes_s if last else None,
        "sentence": last.sentence if last else "",
        "at": moment(last.at) if last else None,
        "good_at": moment(cell.good_at),
    }
