"""What the API of flavors takes and answers."""

from decimal import Decimal
from typing import Any

from ninja import Schema
from pydantic import Field

from kvmweb import doors
from portal.flavors.models import Flavor
from portal.flavors.services import About

_NAME = Field(min_length=1, max_length=63)
_NOTE = Field("", max_length=2000)
_COUNT = Field(ge=1, le=2**31 - 1)
_BYTES = Field(ge=1, le=2**53)
_PRICE = Field(None, ge=0, le=100_000, decimal_places=6)
_PLACE = Field(None, ge=0, le=10_000)


class FlavorIn(doors.Strict):
    """A new flavor; without `position` it stands behind the others."""

    name: str = _NAME
    vcpus: int = _COUNT
    memory_bytes: int = _BYTES
    disk_bytes: int = _BYTES
    note: str = _NOTE
    price_per_hour: Decimal | None = _PRICE
    active: bool = True
    position: int | None = _PLACE

    def about(self) -> About:
        """What it says."""
        return About(**(self.model_dump() | {"name": self.name.strip()}))


class FlavorPatch(doors.Strict):
    """What can be changed; what is not said stays as it is."""

    name: str = Field("", min_length=1, max_length=63)
    vcpus: int = Field(1, ge=1, le=2**31 - 1)
    memory_bytes: int = Field(1, ge=1, le=2**53)
    disk_bytes: int = Field(1, ge=1, le=2**53)
    note: str = _NOTE
    price_per_hour: Decimal | None = _PRICE
    active: bool = True
    position: int = Field(0, ge=0, le=10_000)

    def about(self, now: About) -> About:
        """The flavor as it is to be."""
        told: dict[str, Any] = {name: getattr(now, name) for name in About.__slots__}
        told |= self.model_dump(include=self.model_fields_set)
        return About(**(told | {"name": told["name"].strip()}))


class FlavorOut(Schema):
    """A size of machine, what it is for, and what it costs where that is said."""

    id: int
    name: str
    note: str
    vcpus: int
    memory_bytes: int
    disk_bytes: int
    price_per_hour: float | None
    active: bool
    position: int
    url: str


class FlavorQuery(doors.PageQuery):
    """Which flavors are asked for: with `project`, those that can be asked for in it."""

    project: int | None = Field(None, ge=1, le=2**62)
    active: bool | None = None


def flavor_json(flavor: Flavor) -> dict[str, Any]:
    """One flavor as the API says it."""
    price = flavor.price_per_hour
    return {
        "id": flavor.pk,
        "name": flavor.name,
        "note": flavor.note,
        "vcpus": flavor.vcpus,
        "memory_bytes": flavor.memory_bytes,
        "disk_bytes": flavor.disk_bytes,
        "price_per_hour": None if price is None else float(price),
        "active": flavor.active,
        "position": flavor.position,
        "url": f"/api/v1/flavors/{flavor.pk}/",
    }
