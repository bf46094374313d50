"""What the API of convoys takes and answers."""

from typing import Literal
from uuid import UUID

from ninja import Schema
from pydantic import Field

from kvmweb.doors import Strict


class ConvoyEstimateOut(Schema):
    """What a move is expected to cost."""

    seconds: float
    downtime_ms: int
    bytes: int
    converges: bool


class PlannedMoveOut(Schema):
    """A guest and where it would go."""

    guest: UUID
    guest_name: str
    to_host: int
    to_host_name: str
    storage: Literal["shared", "copy", "none"]
    estimate: ConvoyEstimateOut
    why: list[str]


class StuckReasonOut(Schema):
    """Why a guest cannot go to a host; `host` is empty for a reason of its own."""

    host: str
    code: str
    message: str
    fix: str


class StuckOut(Schema):
    """A guest that goes nowhere."""

    guest: UUID
    guest_name: str
    reasons: list[StuckReasonOut]


class LossOut(Schema):
    """A host that may be lost, and which guests would find no place then."""

    host: int
    host_name: str
    guests: int
    stranded: list[str]


class OffOut(Schema):
    """The same for guests that are off; they move only where that is wished."""

    moves: list[PlannedMoveOut]
    stuck: list[StuckOut]


class EvacuationPlanOut(Schema):
    """What would happen if the host were emptied now."""

    moves: list[PlannedMoveOut]
    stuck: list[StuckOut]
    off: OffOut
    bytes: int
    still_fits_without_one_more: bool
    lost: list[LossOut]


class ConvoyStepOut(Schema):
    """One guest of a convoy."""

    guest: UUID
    guest_name: str
    deed: Literal["move", "carry", "shut-down", "suspend", "start", "leave"]
    state: Literal["waiting", "running", "done", "left", "failed"]
    from_host: int | None
    to_host: int | None
    storage: str
    estimate: ConvoyEstimateOut | None
    why: list[str]
    attempts: int
    operation: UUID | None
    message: str


class ConvoyOut(Schema):
    """Many guests moved for one reason, a few at a time."""

    operation: UUID
    purpose: Literal["evacuate", "return", "balance"]
    host: int | None
    paused: bool
    ended: bool
    per_target: int
    per_source: int
    steps: list[ConvoyStepOut]


class ConvoyPatch(Strict):
    """Begin nothing more for now, or go on."""

    paused: bool


class ConvoyStopIn(Strict):
    """How to stop: `gently` lets those end that were begun."""

    gently: bool = True


class HomeOut(Schema):
    """A guest that left when its host was emptied, and how."""

    guest: UUID
    guest_name: str
    host: int
    deed: str


class ReturnIn(Strict):
    """Which come home; absent: all of them."""

    guests: list[UUID] | None = Field(None, max_length=10_000)
    per_target: int = Field(2, ge=1, le=16)
