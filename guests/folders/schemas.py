"""What the API of folders and of saved views takes and answers."""

from typing import Any
from uuid import UUID

from ninja import Schema
from pydantic import ConfigDict, Field

from guests.folders.saved import Wish
from guests.folders.services import GUESTS_MAX, Limits
from guests.queries import Filters
from kvmweb.doors import Strict


class FolderAmountsOut(Schema):
    """How much the guests of a folder take up, or may; null: any amount."""

    guests: int | None
    vcpus: int | None
    memory_bytes: int | None
    disk_bytes: int | None


class LimitOut(Schema):
    """A folder's limit, and what is used or promised of it."""

    id: int
    path: str
    note: str
    limit: FolderAmountsOut
    used: FolderAmountsOut


class FolderOut(Schema):
    """A folder with all that lies in it and below it, as far as one sees it."""

    path: str
    guests: int
    running: int
    alarming: int  # crashed, or on several hosts at once
    limit: LimitOut | None


class LimitPatch(Strict):
    """How much it may hold; null is any amount, what is not said stays."""

    guests: int | None = Field(None, ge=0, le=2**62)
    vcpus: int | None = Field(None, ge=0, le=2**62)
    memory_bytes: int | None = Field(None, ge=0, le=2**62)
    disk_bytes: int | None = Field(None, ge=0, le=2**62)
    note: str = Field("", max_length=300)

    def limits(self, before: Limits) -> Limits:
        """The limits then."""
        told = {name: getattr(self, name) for name in self.model_fields_set - {"path"}}
        whole = {name: getattr(before, name) for name in Limits.__slots__}
        return Limits(**whole | told)


class LimitIn(LimitPatch):
    """A limit on a folder and all below it."""

    path: str = Field(max_length=200)


class FolderMoveIn(Schema):
    """Guests that go into a folder ("": none), and the one they leave ("": none)."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    guests: list[UUID] = Field(min_length=1, max_length=GUESTS_MAX)
    to: str = Field("", max_length=200)
    source: str = Field("", max_length=200, alias="from")


class RenameIn(Strict):
    """A folder, and its whole path then."""

    path: str = Field(min_length=1, max_length=200)
    to: str = Field(max_length=200)


class RetaggedOut(Schema):
    """How many guests changed, and how many stay, for one may not change them."""

    changed: int
    left: int


class ViewOut(Schema):
    """A view of the list of guests; `mine` may be changed, `default` is opened first."""

    id: int
    name: str
    owner: str
    mine: bool
    shared: bool
    default: bool
    filters: dict[str, str]
    hidden: list[str]
    dense: bool
    url: str


class ViewPatch(Strict):
    """What to change of a view; what is not said stays as it is."""

    name: str = Field("", max_length=60)
    shared: bool = False
    default: bool = False
    filters: dict[str, str] = Field(default_factory=dict)
    hidden: list[str] = Field(default_factory=list, max_length=20)
    dense: bool = False

    def wish(self) -> Wish:
        """The change."""
        told: dict[str, Any] = {it: getattr(self, it) for it in self.model_fields_set}
        if "filters" in told:
            told["filters"] = Filters.of(told["filters"])
        if "hidden" in told:
            told["hidden"] = tuple(told["hidden"])
        return Wish(**told)


class ViewIn(ViewPatch):
    """A new view."""

    name: str = Field(max_length=60)
