"""The API of a guest's document: as it is, as it will be, as it was, as somebody wrote it."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router
from ninja.responses import Status

from guests import access, reading
from guests.columns import digest
from guests.hardware import versions
from guests.hardware.schemas import PendingOut, XmlQuery
from kvmweb import doors
from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.requests import UserRequest
from kvmweb.accounts.signin import is_fresh
from kvmweb.errors import Forbidden, Invalid
from kvmweb.operations.api import OperationOut
from kvmweb.operations.models import Operation

router = Router(tags=["guests"])
Accepted = Status[Operation]
_XML_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/xml": {"schema": {"type": "string"}}},
    },
    "parameters": [
        {
            "name": "If-Match",
            "in": "header",
            "required": False,
            "schema": {"type": "string"},
            "description": "The ETag of the version that was edited.",
        }
    ],
}


@router.get("{uuid:uuid}/xml/", url_name="guest-xml")
@door(Right.SEE_XML)
def xml(request: UserRequest, uuid: UUID, query: Query[XmlQuery]) -> HttpResponse:
    """The libvirt XML of what runs, or what it starts with next; as text, with an ETag."""
    guest = access.guest(request.user, uuid, Right.SEE_XML)
    text = reading.document(guest, inactive=query.inactive)
    return HttpResponse(
        text,
        content_type="text/plain; charset=utf-8",
        headers={"X-Content-Type-Options": "nosniff", "ETag": f'"{digest(text)}"'},
    )


@router.put(
    "{uuid:uuid}/xml/",
    response={202: OperationOut},
    url_name="guest-xml",
    openapi_extra=_XML_BODY,
)
@door(Right.EDIT_XML)
def define(request: UserRequest, uuid: UUID) -> Accepted:
    """Make this document, sent as text, what it starts with next.

    With If-Match it answers 409 when somebody changed it since that version was read.
    """
    guest = access.guest(request.user, uuid, Right.EDIT_XML)
    text = _body(request)
    edited = _etag(request.headers.get("If-Match", ""))
    if not is_fresh(request):
        raise Forbidden(
            "Show your password again before you write XML.",
            hint="Use the page, or a token.",
        )
    return doors.accepted(
        versions.define(
            guest,
            text,
            edited=edited,
            by=request.user,
            address=request.client_address,
        )
    )


@router.get("{uuid:uuid}/pending/", response=PendingOut, url_name="guest-pending")
@door(Right.SEE_XML)
def pending(request: UserRequest, uuid: UUID) -> dict[str, Any]:
    """What a running guest will be otherwise at its next start."""
    guest = access.guest(request.user, uuid, Right.SEE_XML)
    told = versions.pending_of(guest)
    return {"differs": told.differs, "changes": told.changes, "diff": told.diff}


@router.post(
    "{uuid:uuid}/pending/revoke/",
    response={202: OperationOut},
    url_name="guest-pending-revoke",
)
@door(Right.CHANGE)
def revoke(request: UserRequest, uuid: UUID) -> Accepted:
    """Put the running values back into its definition."""
    guest = access.guest(request.user, uuid, Right.CHANGE)
    return doors.accepted(
        versions.revoke(guest, by=request.user, address=request.client_address)
    )


@router.post(
    "{uuid:uuid}/revisions/{int:number}/restore/",
    response={202: OperationOut},
    url_name="guest-revision-restore",
)
@door(Right.CHANGE)
def restore(request: UserRequest, uuid: UUID, number: int) -> Accepted:
    """Define a former version again."""
    guest = access.guest(request.user, uuid, Right.CHANGE)
    return doors.accepted(
        versions.restore(guest, number, by=request.user, address=request.client_address)
    )


def _body(request: HttpRequest) -> str:
    try:
        text = request.body.decode()
    except UnicodeDecodeError as error:
        raise Invalid("The document is not UTF-8.") from error
    if not text.lstrip().startswith("<"):
        raise Invalid("The body is no XML document.", hint="Send it as text.")
    return text


def _etag(header: str) -> str:
    """The digest in an If-Match; "" for none, and for any version at all (*)."""
    word = header.strip().removeprefix("W/").strip('"')
    return "" if word == "*" else word
