"""The API of sessions: where somebody is signed in, and the end of it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from ninja import Query, Router, Schema
from ninja.responses import Status

from kvmweb.accounts import access as people
from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.requests import UserRequest
from kvmweb.accounts.services import Asker
from kvmweb.accounts.sessions import access, queries, services
from kvmweb.doors import Page, PageQuery, paged

router = Router(tags=["people"])
_ORDERINGS = {word: word for word in ("seen_at", "began_at", "device")}


class SessionOut(Schema):
    """One browser where somebody is signed in; what opens it is told to nobody."""

    id: UUID
    device: str
    address: str
    began_at: datetime
    seen_at: datetime
    expires_at: datetime

    @staticmethod
    def resolve_id(visit: Any) -> UUID:
        """What it is called by."""
        handle: UUID = visit.handle
        return handle

    @staticmethod
    def resolve_expires_at(visit: Any) -> datetime:
        """When it ends by itself."""
        at: datetime = visit.expire_date
        return at


@router.get("sessions/", response=Page[SessionOut], url_name="sessions")
@door(Right.SIGNED_IN)
def own(request: UserRequest, query: Query[PageQuery]) -> dict[str, Any]:
    """Where one is signed in, the last seen first."""
    rows = queries.visits(request.user)
    return paged(rows, query, ordering=_ORDERINGS, search=("device", "address"))


@router.delete("sessions/{uuid:handle}/", response={204: None}, url_name="session")
@door(Right.SIGNED_IN)
def end(request: UserRequest, handle: UUID) -> Status[None]:
    """End one of one's own; who manages people ends anybody's."""
    services.end(access.visit(request.user, handle), by=_asker(request))
    return Status(204, None)


@router.get(
    "users/{int:user_id}/sessions/", response=Page[SessionOut], url_name="user-sessions"
)
@door(Right.MANAGE_USERS)
def of_somebody(
    request: UserRequest, user_id: int, query: Query[PageQuery]
) -> dict[str, Any]:
    """Where somebody is signed in, the last seen first."""
    rows = queries.visits(people.person(request.user, user_id))
    return paged(rows, query, ordering=_ORDERINGS, search=("device", "address"))


@router.delete(
    "users/{int:user_id}/sessions/", response={204: None}, url_name="user-sessions"
)
@door(Right.MANAGE_USERS)
def end_all(request: UserRequest, user_id: int) -> Status[None]:
    """Sign somebody out wherever they are; their tokens stay."""
    services.end_all(people.person(request.user, user_id), by=_asker(request))
    return Status(204, None)


def _asker(request: UserRequest) -> Asker:
    return Asker(request.user, request.client_address)
