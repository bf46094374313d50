"""What a person wants of a move, checked; values only."""

from dataclasses import dataclass
from typing import Any, Self

from kvmweb.errors import Invalid

LIVE, OFFLINE = "live", "offline"
MODES = (LIVE, OFFLINE)
STORAGES = ("auto", "shared", "copy")
LEAST_DOWNTIME = "least-downtime"
MUST_FINISH = "must-finish"
POST_COPY = "post-copy"
GENTLE = "gentle"
POLICIES = (LEAST_DOWNTIME, MUST_FINISH, POST_COPY, GENTLE)
BANDWIDTH_MOST_MIB_S = 1_000_000
DOWNTIME_MOST_MS = 2_000_000  # QEMU's own limit is 2,000 s
PARALLEL_MOST = 16


@dataclass(frozen=True, slots=True)
class MoveWish:
    """A move as it is asked for; None: the product chooses, or the policy does."""

    host: int | None = None
    mode: str = LIVE
    storage: str = "auto"
    bandwidth_mib_s: int | None = None
    max_downtime_ms: int | None = None
    auto_converge: bool | None = None
    post_copy: bool | None = None
    policy: str = MUST_FINISH
    compression: bool = False
    parallel: int = 0  # connections; 0: one, as QEMU does by itself

    def __post_init__(self) -> None:
        """Raise Invalid naming each field that cannot be so."""
        errors = {name: [sentence] for name, sentence in self._faults()}
        if errors:
            text = " ".join(each[0] for each in errors.values())
            raise Invalid(text, errors=errors)

    def as_json(self) -> dict[str, Any]:
        """The same for an operation's `params`."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def of_json(cls, told: dict[str, Any]) -> Self:
        """What `as_json` gave; fields of another version are passed over."""
        return cls(**{name: told[name] for name in cls.__slots__ if name in told})

    def _faults(self) -> list[tuple[str, str]]:
        found = []
        for field, words in (
            ("mode", MODES),
            ("storage", STORAGES),
            ("policy", POLICIES),
        ):
            if getattr(self, field) not in words:
                found.append((field, f"Choose one of {', '.join(words)}."))
        for field, least, most in (
            ("bandwidth_mib_s", 1, BANDWIDTH_MOST_MIB_S),
            ("max_downtime_ms", 1, DOWNTIME_MOST_MS),
            ("parallel", 0, PARALLEL_MOST),
        ):
            value = getattr(self, field)
            if value is not None and not least <= value <= most:
                found.append((field, f"Give a number from {least} to {most}."))
        return found + self._contradictions()

    def _contradictions(self) -> list[tuple[str, str]]:
        if self.post_copy and self.parallel > 1:
            sentence = "Parallel connections and post-copy exclude each other."
            return [("parallel", sentence)]
        if self.parallel > 1 and self.compression:
            sentence = "Parallel connections and compression exclude each other."
            return [("parallel", sentence)]
        if self.mode == OFFLINE and self.post_copy:
            return [("post_copy", "A guest that is off has no memory to send.")]
        return []
