"""What will be made for one new guest, down to paths: travels in the operation's params."""

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

from guests.creation.blueprint import Blueprint

if TYPE_CHECKING:
    from pydantic import TypeAdapter

KIND = "guest.create"


@dataclass(frozen=True, slots=True)
class NewVolume:
    """A volume that is made for it."""

    pool: int
    pool_uuid: UUID
    pool_name: str
    name: str
    path: str
    format: str
    capacity_bytes: int  # 0: as large as what it is made of
    image: int | None = None  # of the catalogue; None: it begins blank
    image_name: str = ""
    copy: bool = False  # a whole copy of the image, not one that stands on it


@dataclass(frozen=True, slots=True)
class Plan:
    """One new guest on its host."""

    blueprint: Blueprint
    host: int
    host_name: str
    volumes: tuple[NewVolume, ...] = ()
    changes: tuple[str, ...] = ()  # volumes that are there and become its disks
    reads: tuple[str, ...] = ()  # those that it only reads: CDs
    seed_pool: int | None = None  # where the CD goes that tells it who it is
    start: bool = True
    autostart: bool = False

    def told(self) -> dict[str, Any]:
        """As JSON has it."""
        told: dict[str, Any] = _adapter().dump_python(self, mode="json")
        return told


@cache
def _adapter() -> "TypeAdapter[Plan]":
    from pydantic import TypeAdapter  # noqa: PLC0415  a fifth of what each process starts with

    return TypeAdapter(Plan)


def plan_of(told: dict[str, Any]) -> Plan:
    """The plan again, from JSON."""
    return _adapter().validate_python(told)
