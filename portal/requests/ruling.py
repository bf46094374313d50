"""Which rule approves a request by itself. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from portal.requests.states import Kind


@dataclass(frozen=True, slots=True)
class Asked:
    """What of a request the rules look at."""

    kind: str
    project: int
    flavor: int | None
    vcpus: int
    memory_bytes: int
    disk_bytes: int
    lease_days: int


@dataclass(frozen=True, slots=True)
class Ruled:
    """One rule: everything it names must fit; what it leaves open fits."""

    id: int
    by_itself: bool  # else approvers may approve their own requests that fit
    project: int | None = None
    kinds: frozenset[str] = frozenset()  # empty: every kind
    flavors: frozenset[int] = frozenset()  # empty: every flavor
    vcpus: int | None = None
    memory_bytes: int | None = None
    disk_bytes: int | None = None
    lease_days: int | None = None

    def fits(self, asked: Asked) -> bool:
        """Whether it speaks about this request."""
        if self.project is not None and self.project != asked.project:
            return False
        if self.kinds and asked.kind not in self.kinds:
            return False
        if self.flavors and asked.kind == Kind.NEW and asked.flavor not in self.flavors:
            return False
        limits = ("vcpus", "memory_bytes", "disk_bytes", "lease_days")
        return all(
            (most := getattr(self, name)) is None or getattr(asked, name) <= most
            for name in limits
        )


def by_itself(asked: Asked, rules: Iterable[Ruled]) -> Ruled | None:
    """The first rule that approves it without anybody, if one does."""
    fitting = (rule for rule in rules if rule.by_itself and rule.fits(asked))
    return next(fitting, None)


def own_allowed(asked: Asked, rules: Iterable[Ruled]) -> bool:
    """Whether an approver may approve this one although they asked for it themselves."""
    return any(rule.fits(asked) for rule in rules)
