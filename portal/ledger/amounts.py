"""What guests take up, and arithmetic with it. Pure."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from functools import reduce

WORDS = {
    "guests": "guests",
    "vcpus": "vCPUs",
    "memory_bytes": "memory",
    "disk_bytes": "disk",
}


@dataclass(frozen=True, slots=True)
class Amounts:
    """Guests, vCPUs, bytes of memory and of disk; also what is left, below zero too."""

    guests: int = 0
    vcpus: int = 0
    memory_bytes: int = 0
    disk_bytes: int = 0

    def __add__(self, other: "Amounts") -> "Amounts":
        return Amounts(*(a + b for a, b in zip(self.each(), other.each(), strict=True)))

    def __sub__(self, other: "Amounts") -> "Amounts":
        return Amounts(*(a - b for a, b in zip(self.each(), other.each(), strict=True)))

    def each(self) -> tuple[int, ...]:
        """The four numbers in their order."""
        return tuple(getattr(self, it.name) for it in fields(self))

    def told(self) -> dict[str, int]:
        """As JSON."""
        return asdict(self)

    @classmethod
    def total(cls, parts: "Iterator[Amounts] | list[Amounts]") -> "Amounts":
        """All of them together."""
        return reduce(cls.__add__, parts, cls())


NOTHING = Amounts()


@dataclass(frozen=True, slots=True)
class Limits:
    """The most there may be of each; None: no limit."""

    guests: int | None = None
    vcpus: int | None = None
    memory_bytes: int | None = None
    disk_bytes: int | None = None

    def exceeded(self, amounts: Amounts) -> list[str]:
        """The names of what would be more than allowed."""
        return [
            name
            for name in WORDS
            if (most := getattr(self, name)) is not None
            and getattr(amounts, name) > most
        ]

    def left(self, taken: Amounts) -> dict[str, int | None]:
        """What may still be taken of each; None: any amount."""
        return {
            name: None if most is None else max(0, most - getattr(taken, name))
            for name, most in self.told().items()
        }

    def told(self) -> dict[str, int | None]:
        """As JSON."""
        return asdict(self)
