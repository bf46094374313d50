"""The API's way to a screen: a ticket for a WebSocket."""

from typing import Literal
from uuid import UUID

from django.http import HttpResponse
from ninja import Router, Schema

from guests import access, console
from hosts.json import moment
from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.requests import UserRequest
from kvmweb.doors import Strict

router = Router(tags=["guests"])


class ConsoleIn(Strict):
    """Which screen is asked for."""

    kind: Literal["vnc", "serial"] = "vnc"
    view_only: bool = False


class ConsoleOut(Schema):
    """Where to find it, once, within seconds."""

    kind: str
    websocket_url: str
    password: str | None
    expires_at: str


@router.post("{uuid:uuid}/console/", response=ConsoleOut, url_name="guest-console")
@door(Right.CONSOLE)
def open_console(
    request: UserRequest, response: HttpResponse, uuid: UUID, body: ConsoleIn
) -> dict[str, str | None]:
    """A ticket for the guest's screen or serial port: good once, for 30 seconds, for you."""
    guest = access.guest(request.user, uuid, Right.CONSOLE)
    asker = console.Asker(
        request.user,
        "" if request.token else request.session.session_key or "",
        request.token,
    )
    issued = console.ask(guest, asker, body.kind, view_only=body.view_only)
    response.headers["Cache-Control"] = "no-store"
    scheme = "wss" if request.is_secure() else "ws"
    return {
        "kind": issued.kind,
        "websocket_url": f"{scheme}://{request.get_host()}{issued.path}",
        "password": issued.password or None,
        "expires_at": moment(issued.expires_at),
    }
