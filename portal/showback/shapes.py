"""What the API of use answers, and the same as a table of text."""

import csv
import io
from datetime import UTC
from decimal import Decimal
from typing import Any

from ninja import Schema
from pydantic import Field

from kvmweb.doors import Strict
from kvmweb.live.news import moment
from portal.showback.models import Tariff
from portal.showback.reckoning import Days, Line, Sum, Use

_HEAD = ("month", "id", "name", "about", "guests", "hours", "vcpu_hours")
_TAIL = ("memory_gib_hours", "disk_gib_hours", "price", "currency")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would take for one
_CENTS = Decimal("0.01")
_MOST = Decimal(10) ** 8


class SumOut(Schema):
    """Hours of guests and of what they took up; no price where nobody said one."""

    hours: float
    vcpu_hours: float
    memory_gib_hours: float
    disk_gib_hours: float
    price: float | None
    unpriced: bool


class LineOut(SumOut):
    """One guest of a project, or one project of all."""

    id: str
    name: str
    about: str
    guests: int


class UseOut(Schema):
    """What was had in a month, so far where it lasts."""

    month: str
    until: str
    currency: str
    total: SumOut
    items: list[LineOut]


class DaysOut(Schema):
    """The same day by day (UTC), for charts."""

    step_seconds: int
    times: list[str]
    series: dict[str, list[float | None]]


class TariffOut(Schema):
    """What an hour of what costs where no flavor says so."""

    vcpu: float | None
    memory_gib: float | None
    disk_gib: float | None
    currency: str
    since: str | None


class TariffIn(Strict):
    """The same to be set, whole; what is null has no price."""

    vcpu: Decimal | None = Field(None, ge=0, lt=_MOST, decimal_places=6)
    memory_gib: Decimal | None = Field(None, ge=0, lt=_MOST, decimal_places=6)
    disk_gib: Decimal | None = Field(None, ge=0, lt=_MOST, decimal_places=6)
    currency: str = Field("", max_length=8)


def use_json(use: Use) -> dict[str, Any]:
    """All of it."""
    return {
        "month": str(use.month),
        "until": moment(use.until),
        "currency": use.currency,
        "total": _sum(use.total),
        "items": [_line(line) for line in use.lines],
    }


def days_json(days: Days) -> dict[str, Any]:
    """For charts."""
    sums = [_sum(found) for _, found in days]
    names = ("vcpu_hours", "memory_gib_hours", "disk_gib_hours", "price")
    return {
        "step_seconds": 86400,
        "times": [moment(at.astimezone(UTC)) for at, _ in days],
        "series": {name: [each[name] for each in sums] for name in names},
    }


def tariff_json(tariff: Tariff) -> dict[str, Any]:
    """What holds now."""
    prices = {
        name: None if (price := getattr(tariff, name)) is None else float(price)
        for name in ("vcpu", "memory_gib", "disk_gib")
    }
    since = moment(tariff.since) if tariff.pk else None
    return prices | {"currency": tariff.currency, "since": since}


def use_csv(use: Use) -> str:
    """A table that spreadsheets open; names can be no formulas in it."""
    told = io.StringIO()
    writer = csv.writer(told)
    writer.writerow([*_HEAD, *_TAIL])
    for line in use.lines:
        values = {"month": str(use.month), "currency": use.currency} | _line(line)
        writer.writerow([_plain(values[name]) for name in (*_HEAD, *_TAIL)])
    return told.getvalue()


def _line(line: Line) -> dict[str, Any]:
    about = {"id": line.key, "name": line.name, "about": line.about}
    return about | {"guests": len(line.guests) or 1} | _sum(line.sum)


def _sum(found: Sum) -> dict[str, Any]:
    price = found.price
    return {
        "hours": round(found.hours, 3),
        "vcpu_hours": round(found.vcpu_hours, 3),
        "memory_gib_hours": round(found.memory_gib_hours, 3),
        "disk_gib_hours": round(found.disk_gib_hours, 3),
        "price": None if price is None else float(price.quantize(_CENTS)),
        "unpriced": found.unpriced,
    }


def _plain(value: object) -> object:
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return "" if value is None else value
