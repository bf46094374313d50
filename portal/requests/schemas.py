"""What the API of requests takes and answers."""

from typing import Annotated, Any, Literal

from ninja import Schema
from pydantic import Field

from guests.creation.schemas import CloudIn
from kvmweb import doors
from portal.requests.asking import LEASE_MAX, NOTE_MAX, REASON_MAX, Wish
from portal.requests.deciding import Outcome, Smaller
from portal.requests.looking import Outlook
from portal.requests.models import ApprovalRule

States = Literal[
    "pending",
    "approved",
    "provisioning",
    "ready",
    "rejected",
    "failed",
    "cancelled",
]
Kinds = Literal["new", "resize", "extend"]
Ref = Annotated[  # an id, or a name
    int | Annotated[str, Field(max_length=200)], Field(union_mode="smart")
]
_LEAST, _MOST = 1, 2**53
_COUNT = 2**31 - 1


class RequestIn(doors.Strict):
    """A machine to ask for; project, flavor, image and network by id or by name."""

    project: Ref
    name: str = Field(max_length=200)
    flavor: Ref
    image: Ref | None = None
    network: Ref | None = None
    reason: str = Field(max_length=REASON_MAX)
    note: str = Field("", max_length=NOTE_MAX)
    lease_days: int = Field(ge=1, le=LEASE_MAX)
    cloud_init: CloudIn | None = None

    def wish(self) -> Wish:
        """The same, as the services take it."""
        return Wish(
            name=self.name,
            flavor=self.flavor,
            lease_days=self.lease_days,
            reason=self.reason,
            note=self.note,
            image="" if self.image is None else self.image,
            network="" if self.network is None else self.network,
            cloud=self.cloud_init.cloud() if self.cloud_init else None,
        )


class RequestPatch(doors.Strict):
    """What to ask for instead; what is left out stays."""

    name: str | None = Field(None, max_length=200)
    flavor: Ref | None = None
    image: Ref | None = None
    network: Ref | None = None
    reason: str | None = Field(None, max_length=REASON_MAX)
    note: str | None = Field(None, max_length=NOTE_MAX)
    lease_days: int | None = Field(None, ge=1, le=LEASE_MAX)
    cloud_init: CloudIn | None = None

    def wish(self, now: Wish) -> Wish:
        """All of the wish as it is to be."""
        told = {name: getattr(now, name) for name in Wish.__slots__}
        for name in self.model_fields_set - {"cloud_init", "lease_days"}:
            said = getattr(self, name)
            told[name] = "" if said is None else said
        told["lease_days"] = self.lease_days or now.lease_days
        if "cloud_init" in self.model_fields_set:
            told["cloud"] = self.cloud_init.cloud() if self.cloud_init else None
        return Wish(**told)


class NoteIn(doors.Strict):
    """What to say with a decision."""

    note: str = Field("", max_length=NOTE_MAX)


class ApproveIn(NoteIn):
    """A yes; what is named is given instead of what was asked for, and is smaller."""

    flavor: Ref | None = None
    vcpus: int | None = Field(None, ge=1, le=_COUNT)
    memory_bytes: int | None = Field(None, ge=1, le=_MOST)
    disk_bytes: int | None = Field(None, ge=1, le=_MOST)
    lease_days: int | None = Field(None, ge=1, le=LEASE_MAX)

    def smaller(self) -> Smaller:
        """The same, as the services take it."""
        told = self.model_dump(exclude={"note", "flavor"})
        return Smaller(flavor=self.flavor, **told)


class DecideIn(NoteIn):
    """One decision about several requests."""

    ids: list[int] = Field(min_length=1, max_length=500)
    decision: Literal["approve", "reject"]


class EventOut(Schema):
    """Something that befell a request."""

    at: str
    what: str
    who: str
    why: str


class RequestOut(Schema):
    """What was asked for, and where it stands; sizes are those that were approved."""

    id: int
    kind: Kinds
    state: States
    project: int
    project_name: str
    name: str
    flavor: int | None
    flavor_name: str
    vcpus: int
    memory_bytes: int
    disk_bytes: int
    image: int | None
    image_name: str
    network: str
    reason: str
    note: str
    lease_days: int
    login: str
    asked: dict[str, int] | None  # what was larger when it was asked for
    requester: str
    created_at: str
    guest: str | None
    operation: str | None
    decided_by: str | None
    decided_at: str | None
    decision_note: str
    failure: str
    url: str
    page: str


class RequestWhole(RequestOut):
    """One request with all that befell it."""

    events: list[EventOut]


class RequestQuery(doors.PageQuery):
    """Which requests are asked for."""

    state: States | None = None
    project: int | None = Field(None, ge=1, le=2**62)
    mine: bool = False


class OutlookOut(Schema):
    """Where it would go now. Hosts are named to those who see hosts."""

    fits: bool
    refusal: str
    host_name: str
    why: list[str]
    others: dict[str, list[str]]
    warnings: list[str]
    memory_left_bytes: int | None


class OutcomeOut(Schema):
    """What became of one of several decisions."""

    id: int
    state: States
    error: str


class OutcomesOut(Schema):
    """What became of several decisions, in the order they were asked for."""

    items: list[OutcomeOut]


class CheckOut(Schema):
    """What would happen if this were asked for now."""

    approved_by_itself: bool
    rule: str
    quota_error: str
    left: dict[str, int | None]


class ApprovalRuleIn(doors.Strict):
    """When nobody is asked; null and empty: anything."""

    name: str = Field(min_length=1, max_length=100)
    by_itself: bool = True
    enabled: bool = True
    project: int | None = Field(None, ge=1, le=2**62)
    kinds: list[Kinds] = Field(default_factory=list, max_length=3)
    flavors: list[int] = Field(default_factory=list, max_length=200)
    vcpus: int | None = Field(None, ge=_LEAST, le=_COUNT)
    memory_bytes: int | None = Field(None, ge=_LEAST, le=_MOST)
    disk_bytes: int | None = Field(None, ge=_LEAST, le=_MOST)
    lease_days: int | None = Field(None, ge=_LEAST, le=LEASE_MAX)


class ApprovalRuleOut(ApprovalRuleIn):
    """One rule."""

    id: int


def rule_json(rule: ApprovalRule) -> dict[str, Any]:
    """A rule as the API says it."""
    told = ("by_itself", "enabled", "kinds", "vcpus", "memory_bytes", "disk_bytes")
    return {
        "id": rule.pk,
        "name": rule.name,
        "project": rule.project_id,
        "flavors": sorted(flavor.pk for flavor in rule.flavors.all()),
        "lease_days": rule.lease_days,
        **{name: getattr(rule, name) for name in told},
    }


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    """What became of one decision."""
    return {"id": outcome.id, "state": outcome.state, "error": outcome.error}


def outlook_json(found: Outlook, *, hosts: bool) -> dict[str, Any]:
    """Where it would go; without hosts for those who see none."""
    return {
        "fits": found.fits,
        "refusal": found.refusal if hosts else found.plain,
        "host_name": found.host_name if hosts else "",
        "why": list(found.why) if hosts else [],
        "others": found.others if hosts else {},
        "warnings": list(found.warnings) if hosts else [],
        "memory_left_bytes": found.after.memory_bytes
        if hosts and found.after
        else None,
    }
