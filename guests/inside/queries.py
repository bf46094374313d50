"""Reading what agents told."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from guests.inside.advice import Advice, advice
from guests.inside.models import InsideReport
from guests.models import Guest

_CLOCK_S = 5.0  # what nobody needs to be told of


@dataclass(frozen=True, slots=True)
class Inside:
    """A guest from inside, for its page."""

    at: datetime | None  # None: never asked
    told: dict[str, Any]
    users: list[dict[str, Any]]
    advice: Advice

    @property
    def clock_off(self) -> bool:
        """Whether its clock is wrong enough to say so."""
        ahead_s = self.told.get("ahead_s")
        return ahead_s is not None and abs(ahead_s) >= _CLOCK_S

    @property
    def behind_s(self) -> float:
        """By how much its clock is late; below 0 when it is early."""
        return -(self.told.get("ahead_s") or 0)


def report(guest: Guest) -> InsideReport | None:
    """What its agent told last; None when it was never asked."""
    return InsideReport.objects.filter(guest=guest).first()


def inside(guest: Guest) -> Inside:
    """The same with times as times, and what to do where no agent answers."""
    row = report(guest)
    told = row.told if row else {}
    users = [
        {**each, "since": each["since"] and datetime.fromisoformat(each["since"])}
        for each in told.get("users", [])
    ]
    how = advice(guest.name, guest.state, guest.os, agent=guest.agent)
    return Inside(row.at if row else None, told, users, how)
