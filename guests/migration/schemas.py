"""What the API of moves takes."""

from typing import Any, Literal

from pydantic import Field, model_validator

from guests.migration.wishes import (
    BANDWIDTH_MOST_MIB_S,
    DOWNTIME_MOST_MS,
    PARALLEL_MOST,
    MoveWish,
)
from kvmweb.doors import Sent
from kvmweb.errors import Invalid


class MoveIn(Sent):
    """Where a guest is to go, and how. Without `host` the product chooses one."""

    host: int | None = Field(None, ge=1, lt=2**63)
    mode: Literal["live", "offline"] = "live"
    storage: Literal["auto", "shared", "copy"] = "auto"
    bandwidth_mib_s: int | None = Field(None, ge=1, le=BANDWIDTH_MOST_MIB_S)
    max_downtime_ms: int | None = Field(None, ge=1, le=DOWNTIME_MOST_MS)
    auto_converge: bool | None = None
    post_copy: bool | None = None
    policy: Literal["least-downtime", "must-finish", "post-copy", "gentle"] = (
        "must-finish"
    )
    compression: bool = False
    parallel: int = Field(0, ge=0, le=PARALLEL_MOST)

    @model_validator(mode="before")
    @classmethod
    def _known(cls, value: Any) -> Any:
        """Refuse fields that are not there: a misspelt limit would not hold."""
        body = getattr(value, "_obj", value)
        extra = set(body) - set(cls.model_fields) if isinstance(body, dict) else ()
        if extra:
            sentence = "There is no such field."
            errors = {name: [sentence] for name in sorted(extra)}
            raise Invalid(f"Unknown: {', '.join(sorted(extra))}.", errors=errors)
        return value

    def wish(self) -> MoveWish:
        """The same as services take it. Raises Invalid for what excludes each other."""
        return MoveWish(**{name: getattr(self, name) for name in MoveWish.__slots__})
