"""What the API of leases takes and answers."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils import timezone
from ninja import Schema
from pydantic import Field

from hosts.json import moment
from kvmweb import doors
from portal.leases.models import LONGEST_DAYS, Lease, Policy
from portal.leases.queries import Evidence, Filters, Lent
from portal.leases.services import Rule, Terms


class LeaseQuery(doors.PageQuery):
    """Which leases are asked for."""

    project: str = Field("", max_length=200)
    state: str = Field("", max_length=20)
    owner: str = Field("", max_length=200)
    ended: str = Field("", max_length=3)

    def filters(self) -> Filters:
        """The same for the list."""
        return Filters(self.search, self.project, self.state, self.owner, self.ended)


class EvidenceOut(Schema):
    """How much the guest was used within the last seven days."""

    cpu_percent: float | None
    busiest_hour_percent: float | None
    hours_known: int
    console_at: str | None
    unused: bool


class LeaseOut(Schema):
    """How long a guest is lent, and what comes next."""

    id: int
    guest: UUID
    guest_name: str
    project: int | None
    owner: str | None
    state: str
    ends_at: str
    keeps_days: int
    keeps_until: str | None
    extended_days: int
    next_at: str | None
    waits_for: str
    evidence: EvidenceOut


class ExtendIn(doors.Strict):
    """How many days longer."""

    days: int = Field(ge=1, le=LONGEST_DAYS)


class LendIn(ExtendIn):
    """A guest that is to have an end."""

    guest: UUID


class ExtendAllIn(ExtendIn):
    """The same for several leases."""

    leases: list[int] = Field(min_length=1, max_length=500)


class RefusedOut(Schema):
    """Why some of them cannot be extended, a sentence each."""

    refused: list[str]


class LeasePatch(doors.Strict):
    """What is to be so of a lease; what is not said stays."""

    ends_at: doors.Moment = Field(default_factory=timezone.now)
    keeps_days: int = Field(default_factory=int, ge=0, le=LONGEST_DAYS)

    def terms(self) -> Terms:
        """The same for the service."""
        return Terms(**self.model_dump(include=self.model_fields_set))


class LeaseRuleIn(doors.Strict):
    """What members of a project may do without asking."""

    extend_days: int = Field(ge=0, le=LONGEST_DAYS)
    extend_most_days: int = Field(ge=0, le=LONGEST_DAYS)
    keeps_days: int = Field(ge=0, le=LONGEST_DAYS)

    def rule(self) -> Rule:
        """The same for the service."""
        return Rule(self.extend_days, self.extend_most_days, self.keeps_days)


class LeaseRuleOut(Schema):
    """What members of a project may do without asking."""

    extend_days: int
    extend_most_days: int
    keeps_days: int


def lent_json(lent: Lent) -> dict[str, Any]:
    """A lease with its guest and the evidence."""
    owner = lent.guest.owner if lent.guest else None
    return lease_json(lent.lease) | {
        "owner": owner.username if owner else None,
        "evidence": _evidence(lent.evidence),
    }


def lease_json(lease: Lease) -> dict[str, Any]:
    """What its row says."""
    return {
        "id": lease.pk,
        "guest": lease.guest,
        "guest_name": lease.guest_name,
        "project": lease.project_id,
        "state": lease.state,
        "ends_at": moment(lease.ends_at),
        "keeps_days": lease.keeps_days,
        "keeps_until": _said(lease.keeps_until),
        "extended_days": lease.extended_days,
        "next_at": _said(lease.next_at),
        "waits_for": lease.said,
    }


def policy_json(policy: Policy) -> dict[str, int]:
    """A project's rule."""
    return {
        "extend_days": policy.extend_days,
        "extend_most_days": policy.extend_most_days,
        "keeps_days": policy.keeps_days,
    }


def _evidence(found: Evidence) -> dict[str, Any]:
    return {
        "cpu_percent": _rounded(found.cpu_percent),
        "busiest_hour_percent": _rounded(found.busiest_percent),
        "hours_known": found.hours,
        "console_at": _said(found.console_at),
        "unused": found.unused,
    }


def _rounded(percent: float | None) -> float | None:
    return None if percent is None else round(percent, 2)


def _said(at: datetime | None) -> str | None:
    return moment(at) if at else None
