"""The best processor that every host can give, so that a guest can move to any. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from kvmweb.errors import Conflict

# Families by what they can do, the best first; hosts call variants of them by more words.
_FAMILIES = (
    *("SapphireRapids", "EPYC-Milan", "Icelake-Server", "Icelake-Client", "Cooperlake"),
    *("EPYC-Rome", "Cascadelake-Server", "Skylake-Server", "EPYC", "Skylake-Client"),
    *("Broadwell", "Haswell", "Opteron_G5", "IvyBridge", "Opteron_G4", "SandyBridge"),
    *("Westmere", "Nehalem", "Opteron_G3", "Opteron_G2", "Opteron_G1", "Penryn"),
    *("Conroe", "qemu64", "kvm64", "core2duo", "pentium3"),
)


@dataclass(frozen=True, slots=True)
class Processor:
    """What one host says of its own."""

    host: str
    model: str  # what "host-model" comes down to
    models: frozenset[str]  # that guests can have there


def best_of_all(processors: Iterable[Processor]) -> str:
    """The name of the best model that all of these hosts have.

    Raises Conflict when they have none in common, or one did not say.
    """
    every = list(processors)
    silent = [each.host for each in every if not each.models]
    if silent or not every:
        names = ", ".join(silent) or "No host"
        raise Conflict(f"{names} did not say yet which processors guests can have.")
    common = frozenset.intersection(*(each.models for each in every))
    if not common:
        names = ", ".join(each.host for each in every)
        raise Conflict(f"There is no CPU model that all of {names} have.")
    own = {each.model for each in every}
    return min(common, key=lambda name: (_rank(name), name not in own, len(name), name))


def _rank(model: str) -> int:
    """The place of its family; what nobody knows comes last."""
    fitting = [family for family in _FAMILIES if model.startswith(family)]
    return _FAMILIES.index(max(fitting, key=len)) if fitting else len(_FAMILIES)
