"""What the API of balancing takes and answers."""

from typing import Literal
from uuid import UUID

from ninja import Schema
from pydantic import Field

from guests.draining.schemas import PlannedMoveOut
from kvmweb.doors import Strict

_TAG = r"^[a-z0-9]([a-z0-9._:-]{0,38}[a-z0-9])?$"
_TAG_OR_NONE = r"^([a-z0-9]([a-z0-9._:-]{0,38}[a-z0-9])?)?$"


class HostLoadOut(Schema):
    """How a host fares: CPUs its guests use and wait for, memory that is promised."""

    host: int
    name: str
    used_cpus: float
    waiting_cpus: float
    memory_percent: float


class ChangeOut(PlannedMoveOut):
    """One move, and how many CPUs fewer are waited for then."""

    from_host: int
    from_host_name: str
    relief_cpus: float


class ProposalOut(Schema):
    """Moves that would help now, and what is expected of them."""

    moves: list[ChangeOut]
    gain_percent: float
    before: list[HostLoadOut]
    after: list[HostLoadOut]


class ChosenIn(Strict):
    """One move of the proposal."""

    guest: UUID
    to_host: int = Field(ge=1, le=2**62)


class RunIn(Strict):
    """The moves of the proposal that shall be made."""

    moves: list[ChosenIn] = Field(min_length=1, max_length=100)


class PlacementRuleIn(Strict):
    """Where guests with a tag belong."""

    tag: str = Field(pattern=_TAG, max_length=40)
    kind: Literal["apart", "together", "on"]
    must: bool = True
    host_tag: str = Field("", pattern=_TAG_OR_NONE, max_length=40)


class PlacementRuleOut(Schema):
    """A rule about a tag."""

    id: int
    tag: str
    kind: Literal["apart", "together", "on"]
    must: bool
    host_tag: str


class CourseIn(Strict):
    """How far balancing runs by itself; an empty tag is for all guests."""

    tag: str = Field("", pattern=_TAG_OR_NONE, max_length=40)
    enabled: bool
    threshold_percent: int = Field(10, ge=1, le=100)
    hold_s: int = Field(600, ge=0, le=604800)
    cool_down_s: int = Field(3600, ge=0, le=604800)


class AutopilotOut(Schema):
    """Balancing by itself, for a tag or for all."""

    tag: str
    enabled: bool
    threshold_percent: int
    hold_s: int
    cool_down_s: int
    said: str
