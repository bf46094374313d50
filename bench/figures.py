"""What a measurement is: a number, its unit, what it must reach, and what lay behind it."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the result. `limit` is met from below, or from above where `at_least`."""

    name: str
    value: float
    unit: str
    limit: float
    at_least: bool = False
    behind: dict[str, float | int | str] = field(default_factory=dict)

    @property
    def met(self) -> bool:
        """Whether it reaches what it must."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit


def as_json(figure: Figure) -> dict[str, object]:
    """The figure as the document shows it."""
    return {
        "name": figure.name,
        "value": round(figure.value, 4),
        "unit": figure.unit,
        "must_be": f"{'≥' if figure.at_least else '≤'} {figure.limit:g}",
        "met": figure.met,
        "behind": {
            k: round(v, 4) if isinstance(v, float) else v
            for k, v in figure.behind.items()
        },
    }


def percentile(values: Sequence[float], percent: int) -> float:
    """The value that `percent` of them do not pass."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(len(ordered) * percent / 100))]


def spread(name: str, values: Sequence[float]) -> dict[str, float | int | str]:
    """Median, 95th percentile and count of these, named for `behind`."""
    return {
        f"{name}_median": statistics.median(values),
        f"{name}_p95": percentile(values, 95),
        f"{name}_runs": len(values),
    }
