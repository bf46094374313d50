"""What approvers look at before they decide: would it fit, where, and after that?

Rows only. The list asks for all its requests at once (`fitting`), a request's own page
for everything (`look`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from guests.creation import filters, rooms
from guests.creation.placement import DiskNeed, Need, Room
from guests.creation.services import Preview
from kvmweb.errors import AppError
from portal.projects import scopes
from portal.projects.scope import ANYTHING, Scope
from portal.requests import provisioning
from portal.requests.models import Request
from portal.requests.states import Kind


@dataclass(frozen=True, slots=True)
class Left:
    """What its host would have left for others, once it is there."""

    host_name: str
    memory_bytes: int
    memory_whole_bytes: int
    vcpus: int | None  # None: nobody has set a limit


@dataclass(frozen=True, slots=True)
class Outlook:
    """Where one request would go now."""

    refusal: str = ""  # why nowhere, with the reasons of each host
    host_name: str = ""
    why: tuple[str, ...] = ()
    others: dict[str, tuple[str, ...]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    after: Left | None = None

    plain: str = ""  # the same refusal for those who see no hosts

    @property
    def fits(self) -> bool:
        """Whether it could be made now."""
        return not self.refusal


def look(request: Request) -> Outlook | None:
    """Where its machine would go now, and after that; None when none is to be made."""
    if request.kind != Kind.NEW:
        return None
    try:
        found = provisioning.preview(request)
    except provisioning.ImageGone as error:
        return Outlook(refusal=str(error), plain=str(error))
    except AppError as error:
        return Outlook(refusal=str(error), plain=provisioning.NO_ROOM)
    return _outlook(found)


def fitting(requests: Sequence[Request]) -> dict[int, int]:
    """How many hosts could take each of these now, by the request's id.

    Fourteen queries at most, however many requests and projects there are.
    """
    new = [it for it in requests if it.kind == Kind.NEW]
    if not new:
        return {}
    every = rooms.rooms({it.name for it in new})
    known = scopes.every({it.project_id for it in new})
    return {
        it.pk: sum(1 for _ in _takers(it, every, known.get(it.project_id, ANYTHING)))
        for it in new
    }


def _takers(request: Request, every: list[Room], scope: Scope) -> Iterator[Room]:
    need = Need(
        name=request.name,
        vcpus=request.vcpus,
        memory_bytes=request.memory_bytes,
        disks=(DiskNeed(request.disk_bytes),) if request.disk_bytes else (),
        networks=frozenset({request.network} if request.network else ()),
    )
    for room in every:
        against = filters.against(need, room, {})
        if scope.allows_host(room.tags) and next(against, None) is None:
            yield room


def _outlook(found: Preview) -> Outlook:
    planned = found.planned[0]
    choice, promise = planned.choice, planned.promise
    room = choice.room
    left = room.vcpus_left
    return Outlook(
        host_name=room.name,
        why=choice.why,
        others=choice.others,
        warnings=planned.warnings,
        after=Left(
            host_name=room.name,
            memory_bytes=room.memory_left_bytes - promise.memory_bytes,
            memory_whole_bytes=room.memory_bytes,
            vcpus=None if left is None else left - promise.vcpus,
        ),
    )
