"""The API of one's SSH keys, below me/."""

from datetime import datetime
from typing import Any

from ninja import Query, Router, Schema
from ninja.responses import Status
from pydantic import Field

from kvmweb import doors
from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.requests import UserRequest
from kvmweb.accounts.services import Asker
from portal.keys import access, queries, services
from portal.keys.models import SshKey
from portal.keys.services import NAME_MAX, TEXT_MAX

router = Router(tags=["people"])
_WORDS = ("id", "name", "created_at")


class KeyOut(Schema):
    """A public key that one keeps."""

    id: int
    name: str
    text: str
    fingerprint: str
    created_at: datetime


class KeyIn(doors.Strict):
    """A public key to keep; without a name, its comment is the name."""

    text: str = Field(min_length=1, max_length=TEXT_MAX)
    name: str = Field("", max_length=NAME_MAX)


@router.get("", response=doors.Page[KeyOut], url_name="ssh-keys")
@door(Right.SIGNED_IN)
def listing(request: UserRequest, query: Query[doors.PageQuery]) -> dict[str, Any]:
    """One's own keys."""
    rows = queries.of(request.user)
    ordering = {word: word for word in _WORDS}
    return doors.paged(rows, query, ordering=ordering, search=("name", "text"))


@router.post("", response={201: KeyOut}, url_name="ssh-keys")
@door(Right.SIGNED_IN)
def keep(request: UserRequest, body: KeyIn) -> Status[SshKey]:
    """Keep a key."""
    asker = Asker(request.user, request.client_address)
    return Status(201, services.keep(body.name, body.text, by=asker))


@router.delete("{int:key_id}/", response={204: None}, url_name="ssh-key")
@door(Right.SIGNED_IN)
def forget(request: UserRequest, key_id: int) -> Status[None]:
    """Keep a key no more; machines that have it go on having it."""
    asker = Asker(request.user, request.client_address)
    services.forget(access.key(request.user, key_id), by=asker)
    return Status(204, None)
