"""The API of machines, beside that of guests: hand one over, ask for more."""

from typing import Any
from uuid import UUID

from ninja import Router
from ninja.responses import Status
from pydantic import Field

from guests import access as guests
from guests.json import for_user, guest_json
from guests.schemas import GuestOut
from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.requests import UserRequest
from kvmweb.accounts.services import Asker
from kvmweb.doors import Strict
from kvmweb.errors import Forbidden
from portal.leases.models import LONGEST_DAYS
from portal.machines import access, services
from portal.requests import services as requests
from portal.requests.asking import REASON_MAX
from portal.requests.json import request_json
from portal.requests.resizing import Size
from portal.requests.schemas import RequestOut

router = Router(tags=["guests"])


class HandOverIn(Strict):
    """To whom."""

    to: str = Field(min_length=1, max_length=150)


class SizeIn(Strict):
    """Another size."""

    vcpus: int = Field(ge=1, le=1024)
    memory_bytes: int = Field(ge=1)
    disk_bytes: int = Field(0, ge=0, le=2**53)  # of its first disk; 0: as it is
    reason: str = Field("", max_length=REASON_MAX)


class TimeIn(Strict):
    """More time."""

    days: int = Field(ge=1, le=LONGEST_DAYS)
    reason: str = Field("", max_length=REASON_MAX)


@router.post("{uuid:uuid}/hand-over/", response=GuestOut, url_name="guest-hand-over")
@door(Right.EDIT)
def hand_over(request: UserRequest, uuid: UUID, body: HandOverIn) -> dict[str, Any]:
    """Give it to somebody who runs machines in its project, too."""
    guest = guests.guest(request.user, uuid, Right.EDIT)
    if not access.may_hand_over(request.user, guest):
        raise Forbidden(f"Only who owns {guest.name} may hand it over.")
    by, address = request.user, request.client_address
    given = services.hand_over(guest, body.to, by=by, address=address)
    return for_user(guest_json(given), request.user)


@router.post(
    "{uuid:uuid}/ask-size/", response={201: RequestOut}, url_name="guest-ask-size"
)
@door(Right.OPERATE)
def ask_size(request: UserRequest, uuid: UUID, body: SizeIn) -> Status[dict[str, Any]]:
    """Ask for another size of it; somebody decides, or a rule."""
    guest = guests.guest(request.user, uuid, Right.OPERATE)
    size = Size(body.vcpus, body.memory_bytes, body.disk_bytes)
    asked = requests.ask_resize(guest, size, body.reason, by=_asker(request))
    return Status(201, request_json(asked))


@router.post(
    "{uuid:uuid}/ask-time/", response={201: RequestOut}, url_name="guest-ask-time"
)
@door(Right.OPERATE)
def ask_time(request: UserRequest, uuid: UUID, body: TimeIn) -> Status[dict[str, Any]]:
    """Ask for more days than the rule of its project gives."""
    guest = guests.guest(request.user, uuid, Right.OPERATE)
    by = _asker(request)
    asked = requests.ask_extension(guest, body.days, body.reason, by=by)
    return Status(201, request_json(asked))


def _asker(request: UserRequest) -> Asker:
    return Asker(request.user, request.client_address)
