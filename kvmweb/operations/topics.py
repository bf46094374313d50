"""Who hears of which operations on a live page."""

from typing import Any

from kvmweb.accounts import gate
from kvmweb.accounts.models import User
from kvmweb.errors import NotFound
from kvmweb.live.topics import Filter, everything, topic
from kvmweb.operations import queries
from kvmweb.operations.json import for_user


@topic("operations")
def operations(user: User, ident: str | None) -> Filter:
    """All of them, or one's own and those on one's own guests."""
    if ident is not None:
        raise NotFound("Listen to all operations, or to a guest's or a host's.")
    if gate.sees_all(user):
        return everything
    guests = {str(uuid) for each in queries.guests_of(user) for uuid in each}

    def mine(_kind: str, data: dict[str, Any]) -> dict[str, Any] | None:
        asked = user.within is None and data["requested_by"] == user.username
        theirs = asked or data["guest"] in guests
        return for_user(data, user) if theirs else None

    return mine
