"""The plug by which facts reach their rows: whoever keeps some registers for its kind.

    @recorder("domain")
    def record_domain(host: Host, facts: DomainFacts, event: str) -> None: ...

| kind | called with | when |
| --- | --- | --- |
| host | host, HostFacts | the host was looked at as a whole |
| look | host, Sequence[DomainFacts], complete=bool | then, and after an event |
| domain | host, DomainFacts, event | one domain was looked at after an event |
| vanished | host, UUID, event | the host does not know this domain any more |
| pools | host, Sequence[PoolFacts] | storage was looked at |
| networks | host, Sequence[NetworkFacts] | networks were looked at |
| surroundings | host, Surroundings | what it can do, its devices and filters were looked at |
| strain | host, Sequence[GuestStrain] | it was measured how much guests wait for CPUs |
| heard | host's id | it still answers, though it has nothing new to say |
| connecting | host | a connection is being made for the first time |
| lost | host, Lost | there is no connection any more, or none could be made |
| removed | host | an admin removes the host; its row is about to go |
| checked | host, Sequence[CheckStep] | a check told its steps |
| settled | host | news was stored and no more is coming now; the place to sum it up |

Recorders are called inside a transaction with the host's row locked. One that raises
spoils nothing but its own news: see hosts.recording.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., None])

KINDS = frozenset(
    {
        "host",
        "look",
        "domain",
        "vanished",
        "pools",
        "networks",
        "surroundings",
        "strain",
        "heard",
        "connecting",
        "lost",
        "removed",
        "checked",
        "settled",
    }
)
_recorders: dict[str, list[Callable[..., None]]] = defaultdict(list)


def recorder(kind: str) -> Callable[[F], F]:
    """Register the decorated function for this kind of news."""
    if kind not in KINDS:
        message = f"There is no news of the kind {kind}."
        raise LookupError(message)

    def register(function: F) -> F:
        _recorders[kind].append(function)
        return function

    return register


def tell(kind: str, *args: Any, **kwargs: Any) -> None:
    """Hand one piece of news to everyone who registered for its kind, in order."""
    for function in _recorders[kind]:
        function(*args, **kwargs)
