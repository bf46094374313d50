"""What is on its way to hosts: guests that are being made, and those that move there."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from guests.draining.models import Step
from guests.models import Guest
from kvmweb.operations.models import Operation
from kvmweb.virt.types import DomainState

MOVE = "guest.migrate"
RUNNING = (DomainState.RUNNING, DomainState.PAUSED, DomainState.SHUTTING_DOWN)
Names = defaultdict[int, set[str]]


@dataclass(slots=True)
class Taken:
    """What is promised of one host."""

    vcpus: int = 0
    memory_bytes: int = 0


def promised(
    kinds: Collection[str], names: Names, but_for: Collection[UUID] = ()
) -> tuple[defaultdict[int, Taken], Counter[int]]:
    """What is on its way to each host and into each pool; its names are added, too.

    The moves of the guests `but_for` do not count: it is asked where these may go.
    """
    coming: defaultdict[int, Taken] = defaultdict(Taken)
    full: Counter[int] = Counter()
    _made(kinds, names, coming, full)
    _moved(names, coming, frozenset(but_for))
    return coming, full


def _made(
    kinds: Collection[str],
    names: Names,
    coming: defaultdict[int, Taken],
    full: Counter[int],
) -> None:
    rows = Operation.objects.filter(
        kind__in=kinds, state__in=Operation.ACTIVE, host__isnull=False
    )
    columns = ("host", "guest", "guest_name", "params__promise")
    told = list(rows.values_list(*columns))
    seen = _seen_running(guest for _, guest, _, _ in told)
    for host_id, guest, name, promise in told:
        names[host_id or 0].add(name)
        if not promise:
            continue
        full.update({int(pool): int(size) for pool, size in promise["pools"]})
        if guest not in seen:
            coming[host_id or 0].vcpus += promise["vcpus"]
            coming[host_id or 0].memory_bytes += promise["memory_bytes"]


def _moved(
    names: Names, coming: defaultdict[int, Taken], but_for: frozenset[UUID]
) -> None:
    """Moves under way, and those of convoys that still wait; each guest counts once."""
    going: dict[Any, int] = {}
    rows = Operation.objects.filter(kind=MOVE, state__in=Operation.ACTIVE)
    for guest, target in rows.values_list("guest", "params__target"):
        if guest and target:
            going[guest] = int(target)
    steps = Step.objects.filter(state=Step.State.WAITING, target__isnull=False)
    for guest, target in steps.values_list("guest", "target"):
        going.setdefault(guest, target or 0)
    columns = ("pk", "host", "name", "state", "vcpus", "memory_bytes")
    for pk, host, name, state, vcpus, memory in Guest.objects.filter(
        pk__in=going.keys() - but_for
    ).values_list(*columns):
        target = going[pk]
        if host == target:
            continue  # it is there: it counts as what runs
        names[target].add(name)
        if state in RUNNING:
            coming[target].vcpus += vcpus
            coming[target].memory_bytes += memory


def _seen_running(guests: Iterable[Any]) -> set[Any]:
    """Those that run already count as what runs."""
    rows = Guest.objects.filter(pk__in=list(guests), state__in=RUNNING)
    return set(rows.values_list("pk", flat=True))
