"""Who hears of which requests on a live page."""

from typing import Any

from kvmweb.accounts.gate import Right, may_everywhere, need
from kvmweb.accounts.models import User
from kvmweb.errors import NotFound
from kvmweb.live.topics import Filter, everything, topic
from portal.requests import access


@topic("requests")
def requests(user: User, ident: str | None) -> Filter:
    """One's own, and those one decides about."""
    if ident is not None:
        raise NotFound("One request's topic is request:ID.")
    need(user, Right.REQUEST)
    return _filter(user)


@topic("request")
def request(user: User, ident: str | None) -> Filter:
    """One request: each of its states."""
    access.request(user, int(ident or ""))
    return _filter(user)


def _filter(user: User) -> Filter:
    if may_everywhere(user, Right.DECIDE):
        return everything

    def mine(_kind: str, data: dict[str, Any]) -> dict[str, Any] | None:
        return data if access.sees(user, data["project"], data["requester"]) else None

    return mine
