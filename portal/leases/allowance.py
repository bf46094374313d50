"""How much longer somebody may keep a guest without asking anybody. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Allowance:
    """What the rule of a project still gives for one lease."""

    at_once: int = 0  # days
    left: int = 0  # days in all

    @property
    def days(self) -> int:
        """The most that can be had now."""
        return min(self.at_once, self.left)

    def refusal(self, days: int) -> str:
        """Why it does not give so many, as a sentence; "" when it does."""
        if days <= self.days:
            return ""
        if not self.days:
            return "Nobody may extend it any more without asking."
        if days > self.left:
            return f"The rule of the project gives it {_days(self.left)} more in all."
        return f"The rule of the project gives it {_days(self.at_once)} at a time."


def allowance(extend_days: int, most_days: int, extended_days: int) -> Allowance:
    """What a rule of so many days at a time and in all leaves after so many."""
    return Allowance(extend_days, max(0, most_days - extended_days))


def _days(count: int) -> str:
    return f"{count} day{'' if count == 1 else 's'}"
