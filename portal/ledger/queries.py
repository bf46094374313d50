"""What projects take up, counted."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Sum

from portal.ledger.amounts import WORDS, Amounts, Limits
from portal.ledger.models import Charge, Quota


@dataclass(frozen=True, slots=True)
class Usage:
    """What a project may have, what is there, and what is promised."""

    limits: Limits = field(default_factory=Limits)
    guest_limits: Limits = field(default_factory=Limits)
    snapshots: int | None = None
    used: Amounts = field(default_factory=Amounts)
    reserved: Amounts = field(default_factory=Amounts)

    @property
    def taken(self) -> Amounts:
        """What is there and what is promised."""
        return self.used + self.reserved

    def left(self) -> dict[str, int | None]:
        """What may still be taken; None: any amount."""
        return self.limits.left(self.taken)


def usage(projects: Collection[int]) -> dict[int, Usage]:
    """Of each of these projects. Two queries, however many there are."""
    quotas = Quota.objects.in_bulk(projects)
    sums = _sums(projects)
    return {
        pk: Usage(
            quotas[pk].limits if pk in quotas else Limits(),
            quotas[pk].guest_limits if pk in quotas else Limits(),
            quotas[pk].snapshots if pk in quotas else None,
            sums.get((pk, Charge.State.USED.value), Amounts()),
            sums.get((pk, Charge.State.RESERVED.value), Amounts()),
        )
        for pk in projects
    }


def taken(project: int) -> Amounts:
    """What it has and what it was promised. One query."""
    return Amounts.total(list(_sums([project]).values()))


def _sums(projects: Collection[int]) -> dict[tuple[int, str], Amounts]:
    rows: Any = Charge.objects.filter(project__in=projects)
    totals: dict[str, Any] = {f"sum_{name}": Sum(name) for name in WORDS}
    return {
        (row["project"], row["state"]): Amounts(*(row[name] for name in totals))
        for row in rows.values("project", "state").order_by().annotate(**totals)
    }
