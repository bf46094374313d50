"""Who hears that there are notices on a live page: whose they are, and nobody else."""

from typing import Any

from kvmweb.accounts.gate import Right, need
from kvmweb.accounts.models import User
from kvmweb.errors import NotFound
from kvmweb.live.topics import Filter, topic
from portal.telling import access


@topic("notices")
def notices(user: User, ident: str | None) -> Filter:
    """One's own notices, as they come and are read."""
    if ident is not None:
        raise NotFound("Everybody listens to their own notices.")
    need(user, Right.SIGNED_IN)
    access.need_whole(user)

    def mine(_kind: str, data: dict[str, Any]) -> dict[str, Any] | None:
        return {"notice": data["notice"]} if data["user"] == user.pk else None

    return mine
