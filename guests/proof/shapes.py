"""What the API of moves answers, and the report as a table of text."""

import csv
import datetime as dt
import io
from typing import Any

from ninja import Schema

from guests.migration.models import Move
from guests.proof.queries import Report
from hosts.json import moment

COLUMNS = (
    *("started_at", "finished_at", "guest", "guest_name", "source_name"),
    *("target_name", "mode", "storage", "policy", "outcome", "memory_bytes"),
    *("predicted_seconds", "seconds", "predicted_downtime_ms", "downtime_ms"),
    *("seen_downtime_ms", "predicted_bytes", "transferred_bytes"),
    *("memory_rate_bytes_s", "dirty_bytes_s", "iterations", "sentence", "operation"),
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would take for one


class MoveOut(Schema):
    """One move: as it was foretold, and as it was."""

    operation: str
    guest: str
    guest_name: str
    source: int | None
    source_name: str
    target: int | None
    target_name: str
    mode: str
    storage: str
    policy: str
    outcome: str
    sentence: str
    started_at: str | None
    finished_at: str | None
    drain: str | None
    memory_bytes: int
    predicted_seconds: float | None
    seconds: float | None
    predicted_downtime_ms: int | None
    downtime_ms: int | None
    seen_downtime_ms: int | None
    predicted_bytes: int | None
    transferred_bytes: int | None
    memory_rate_bytes_s: int | None
    dirty_bytes_s: int | None
    iterations: int | None


class ReportOut(Schema):
    """The moves of a day or a drain, and what they come to."""

    day: str | None
    drain: str | None
    began_at: str | None
    ended_at: str | None
    succeeded: int
    failed: int
    under_way: int
    transferred_bytes: int
    longest_downtime_ms: int | None
    total_downtime_ms: int
    foretold: int
    near: int
    moves: list[MoveOut]


class MoveSeriesOut(Schema):
    """The moves of a pair of hosts over time; one point each."""

    step_seconds: int
    times: list[str]
    series: dict[str, list[float | None]]


def move_json(row: Move) -> dict[str, Any]:
    """One move, whole."""
    told = row.predicted
    return {
        "operation": str(row.operation),
        "guest": str(row.guest),
        "guest_name": row.guest_name,
        "source": row.source_id,
        "source_name": row.source_name,
        "target": row.target_id,
        "target_name": row.target_name,
        "mode": row.mode,
        "storage": row.storage,
        "policy": row.policy,
        "outcome": row.outcome,
        "sentence": row.sentence,
        "started_at": moment(row.started_at),
        "finished_at": moment(row.finished_at),
        "drain": str(row.drain) if row.drain else None,
        "memory_bytes": row.memory_bytes,
        "predicted_seconds": told.get("seconds"),
        "seconds": row.total_ms / 1000 if row.total_ms is not None else None,
        "predicted_downtime_ms": told.get("downtime_ms"),
        "downtime_ms": row.downtime_ms,
        "seen_downtime_ms": row.seen_downtime_ms,
        "predicted_bytes": told.get("bytes"),
        "transferred_bytes": row.transferred_bytes,
        "memory_rate_bytes_s": row.memory_rate_bytes_s,
        "dirty_bytes_s": row.dirty_bytes_s,
        "iterations": row.iterations,
    }


def report_json(report: Report) -> dict[str, Any]:
    """All of it."""
    return {
        "day": report.day.isoformat() if report.day else None,
        "drain": str(report.drain.pk) if report.drain else None,
        "began_at": moment(report.began_at),
        "ended_at": moment(report.ended_at),
        "succeeded": len(report.succeeded),
        "failed": len(report.failed),
        "under_way": report.under_way,
        "transferred_bytes": report.transferred_bytes,
        "longest_downtime_ms": report.longest_downtime_ms,
        "total_downtime_ms": report.total_downtime_ms,
        "foretold": report.foretold,
        "near": report.near,
        "moves": [move_json(row) for row in report.moves],
    }


def report_csv(report: Report) -> str:
    """The moves as a table that spreadsheets open; names can be no formulas in it."""
    told = io.StringIO()
    writer = csv.writer(told)
    writer.writerow(COLUMNS)
    for row in report.moves:
        values = move_json(row)
        writer.writerow([_plain(values[name]) for name in COLUMNS])
    return told.getvalue()


def series_json(rows: list[Move]) -> dict[str, Any]:
    """For charts."""
    found = {_after(row.finished_at): row for row in rows if row.finished_at}
    shown = [move_json(row) for row in found.values()]
    names = (
        *("predicted_seconds", "seconds", "predicted_downtime_ms", "downtime_ms"),
        *("seen_downtime_ms", "memory_rate_bytes_s"),
    )
    return {
        "step_seconds": 0,
        "times": [moment(at) for at in found],
        "series": {name: [each[name] for each in shown] for name in names},
    }


def _after(at: dt.datetime) -> dt.datetime:
    """To the millisecond, as times are told: of two in one, the later one counts."""
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def _plain(value: object) -> object:
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return "" if value is None else value
