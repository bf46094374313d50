"""How much guests take up together, and how much they may. Pure."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from typing import Self

from guests.charging import Size
from guests.folders.models import FolderLimit
from kvmweb.sizes import amount


@dataclass(frozen=True, slots=True)
class Use:
    """What guests take up together."""

    guests: int = 0
    vcpus: int = 0
    memory_bytes: int = 0
    disk_bytes: int = 0

    @classmethod
    def of(cls, size: Size, guests: int = 1) -> Self:
        """Of this size; of one guest, unless another number is said."""
        return cls(guests, size.vcpus, size.memory_bytes, size.disk_bytes)

    def __add__(self, other: Self) -> Self:
        return type(self)(
            *(getattr(self, it) + getattr(other, it) for it in _NAMES),
        )

    def __sub__(self, other: Self) -> Self:
        return type(self)(
            *(getattr(self, it) - getattr(other, it) for it in _NAMES),
        )

    def told(self) -> dict[str, int]:
        """As JSON has it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Bar:
    """One thing that is limited, for people: "9 of 10 guests"."""

    name: str
    used: int
    limit: int

    @property
    def percent(self) -> float:
        """How much of it is used."""
        return 100.0 if not self.limit else 100 * self.used / self.limit

    @property
    def words(self) -> str:
        """How much is used of how much: "9 of 10 guests"."""
        used, limit = _amount(self.name, self.used), _amount(self.name, self.limit)
        return f"{used} of {limit} {_WORDS[self.name]}"

    @property
    def left(self) -> str:
        """What is left, as "1 left", or how much too much is used."""
        over = self.used - self.limit
        if over > 0:
            return f"{_amount(self.name, over)} too many"
        return f"{_amount(self.name, -over)} left"


def bars(limit: FolderLimit, used: Use) -> Iterator[Bar]:
    """Each thing that the folder limits."""
    for name in _NAMES:
        most = getattr(limit, name)
        if most is not None:
            yield Bar(name, getattr(used, name), most)


def exceeded(limit: FolderLimit, used: Use, more: Use) -> str:
    """What of the folder would be too much with so much more, as a sentence; "" if none.

    What does not become more is not asked about, however much there is already.
    """
    told = []
    for bar in bars(limit, used):
        wanted = getattr(more, bar.name)
        if wanted > 0 and bar.used + wanted > bar.limit:
            left = _amount(bar.name, max(0, bar.limit - bar.used))
            told.append(
                f"{bar.words} are used, {_amount(bar.name, wanted)} more "
                f"{'is' if wanted == 1 else 'are'} wanted, {left} left"
            )
    return f"The folder {limit.path} is full: {'; '.join(told)}." if told else ""


def _amount(name: str, count: int) -> str:
    return amount(count) if name.endswith("_bytes") else str(count)


_NAMES = tuple(each.name for each in fields(Use))
_WORDS = {
    "guests": "guests",
    "vcpus": "vCPUs",
    "memory_bytes": "of memory",
    "disk_bytes": "of disks",
}
