"""Values of hosts as columns can hold them: hosts may say anything, at any length."""

from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import TypeAlias

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"

BIGGEST = 2**63 - 1
BIG = 2**31 - 1


def text(said: str, length: int | None = None) -> str:
    """The text without what a database refuses, cut to `length` characters."""
    whole = said.replace("\0", "\N{REPLACEMENT CHARACTER}")
    return whole.encode("utf-8", "replace").decode()[:length]


def number(said: int, biggest: int = BIGGEST) -> int:
    """The number, or the nearest one that the column holds."""
    return max(0, min(said, biggest))


def as_json(value: object) -> Json:
    """A frozen value of `kvmweb.virt.types` as plain JSON: objects, lists, texts."""
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return max(-BIGGEST, min(value, BIGGEST))
    if isinstance(value, list | tuple):
        return [as_json(each) for each in value]
    if is_dataclass(value):
        return {f.name: as_json(getattr(value, f.name)) for f in fields(value)}
    return text(value.isoformat() if isinstance(value, datetime) else str(value))
