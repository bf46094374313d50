"""Who hears of which guests on a live page, and whose operations go with them."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from guests import access
from guests.json import for_user
from kvmweb.accounts.gate import Right, need, sees_all
from kvmweb.accounts.models import User
from kvmweb.errors import NotFound
from kvmweb.live.topics import Filter, everything, topic
from kvmweb.operations import json as operations_json
from kvmweb.operations.queries import visible_guests


@visible_guests
def visible(user: User) -> Iterable[UUID]:
    """The guests whose operations this person may see."""
    return access.visible(user).values_list("pk", flat=True)


@topic("guests")
def guests(user: User, ident: str | None) -> Filter:
    """States and numbers of all guests, or of one's own and one's projects'."""
    if ident is not None:
        raise NotFound("One guest's topic is guest:UUID.")
    need(user, Right.SEE)
    if sees_all(user):
        return everything
    return _Owned(user).filter


@topic("guest")
def guest(user: User, ident: str | None) -> Filter:
    """One guest: its state, numbers and operations."""
    try:
        uuid = UUID(ident or "")
    except ValueError as error:
        raise NotFound("There is no such guest.") from error
    access.guest(user, uuid, Right.SEE)
    if sees_all(user):
        return everything

    def mine(kind: str, data: dict[str, Any]) -> dict[str, Any] | None:
        if kind == "state":
            seen = access.sees(user, data["project"], data["owner"])
            return for_user(data, user) if seen else None
        return operations_json.for_user(data, user) if kind == "operation" else data

    return mine


class _Owned:
    """What a user hears of the topic of all guests: theirs, without their hosts.

    The opener is asked again every few seconds, so a guest or a membership that was
    given to them is known soon; a guest's news says it at once.
    """

    def __init__(self, user: User) -> None:
        self._user = user
        self._owned = {str(uuid) for uuid in visible(user)}

    def filter(self, kind: str, data: dict[str, Any]) -> dict[str, Any] | None:
        """The part of this news that is theirs."""
        if kind == "stats":
            numbers = data["guests"]
            mine = {uuid: numbers[uuid] for uuid in self._owned & numbers.keys()}
            return {"guests": mine} if mine else None
        if not access.sees(self._user, data.get("project"), data.get("owner")):
            self._owned.discard(data["uuid"])
            return None
        self._owned.add(data["uuid"])
        return for_user(data, self._user) if kind == "state" else data
