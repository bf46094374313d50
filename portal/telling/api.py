"""The API of notices: what one was told, how one wants to be told, webhooks."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from ninja import Query, Router
from ninja.responses import Status

from kvmweb import doors
from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.requests import UserRequest
from kvmweb.accounts.services import Asker
from portal.telling import access, queries, services, webhooks
from portal.telling.events import Way
from portal.telling.json import delivery_json, notice_json, webhook_json
from portal.telling.schemas import (
    DeliveriesQuery,
    DeliveryOut,
    NoticeOut,
    NoticesQuery,
    ReadOut,
    SecretOut,
    WebhookIn,
    WebhookMade,
    WebhookOut,
    WebhookPatch,
    WishesIn,
    WishOut,
)
from portal.telling.webhooks import Wish

router = Router(tags=["notices"])


@router.get("notices/", response=doors.Page[NoticeOut], url_name="notices")
@door(Right.SIGNED_IN)
def notices(request: UserRequest, query: Query[NoticesQuery]) -> dict[str, Any]:
    """What one was told, newest first."""
    access.need_whole(request.user)
    rows = queries.notices(request.user, unread=query.unread)
    ordering = {"at": "at", "event": "event"}
    page = doors.paged(rows, query, ordering=ordering, search=("title", "text"))
    return page | {"items": [notice_json(row) for row in page["items"]]}


@router.post("notices/read/", response=ReadOut, url_name="notices-read")
@door(Right.SIGNED_IN)
def read_all(request: UserRequest) -> dict[str, int]:
    """One has seen everything."""
    access.need_whole(request.user)
    return {"read": services.read_all(request.user)}


@router.get("notices/wishes/", response=list[WishOut], url_name="notices-wishes")
@door(Right.SIGNED_IN)
def wishes(request: UserRequest) -> list[dict[str, Any]]:
    """In which ways one hears of what."""
    access.need_whole(request.user)
    return [
        {"event": event.word, "label": event.label}
        | {way.value: wanted for way, wanted in ways.items()}
        for events in queries.wishes(request.user).values()
        for event, ways in events
    ]


@router.patch("notices/wishes/", response=list[WishOut], url_name="notices-wishes")
@door(Right.SIGNED_IN)
def choose(request: UserRequest, body: WishesIn) -> list[dict[str, Any]]:
    """Choose other ways; what is left out stays."""
    access.need_whole(request.user)
    given = {
        (item.event, way): wanted
        for item in body.items
        for way in Way
        if (wanted := getattr(item, way)) is not None
    }
    services.choose(request.user, given)
    return wishes(request)


@router.post(
    "notices/{int:notice_id}/read/", response=NoticeOut, url_name="notice-read"
)
@door(Right.SIGNED_IN)
def read(request: UserRequest, notice_id: int) -> dict[str, Any]:
    """One has seen it."""
    return notice_json(services.read(access.notice(request.user, notice_id)))


@router.get("webhooks/", response=doors.Page[WebhookOut], url_name="webhooks")
@door(Right.SIGNED_IN)
def listing(request: UserRequest, query: Query[doors.PageQuery]) -> dict[str, Any]:
    """One's own; administrators see those for everything too."""
    access.need_whole(request.user)
    user = request.user
    rows = queries.webhooks(user, for_all=access.may_for_all(user))
    ordering = {"name": "name", "created_at": "created_at"}
    page = doors.paged(rows, query, ordering=ordering, search=("name", "place"))
    return page | {"items": [webhook_json(row) for row in page["items"]]}


@router.post("webhooks/", response={201: WebhookMade}, url_name="webhooks")
@door(Right.SIGNED_IN)
def add(
    request: UserRequest, response: HttpResponse, body: WebhookIn
) -> Status[dict[str, Any]]:
    """A new one; its secret is in this answer and nowhere else."""
    access.need_whole(request.user)
    wish = Wish(body.name, body.url, body.events)
    hook, secret = webhooks.add(wish, for_all=body.for_all, by=_asker(request))
    response.headers["Cache-Control"] = "no-store"
    return Status(201, webhook_json(hook) | {"secret": secret})


@router.get("webhooks/{int:webhook_id}/", response=WebhookOut, url_name="webhook")
@door(Right.SIGNED_IN)
def detail(request: UserRequest, webhook_id: int) -> dict[str, Any]:
    """One of them."""
    return webhook_json(access.webhook(request.user, webhook_id))


@router.patch("webhooks/{int:webhook_id}/", response=WebhookOut, url_name="webhook")
@door(Right.SIGNED_IN)
def edit(request: UserRequest, webhook_id: int, body: WebhookPatch) -> dict[str, Any]:
    """Change it; `active: true` also switches one on that failed for too long."""
    hook = access.webhook(request.user, webhook_id)
    wish = Wish(body.name, body.url, body.events, body.active)
    return webhook_json(webhooks.edit(hook, wish, by=_asker(request)))


@router.delete("webhooks/{int:webhook_id}/", response={204: None}, url_name="webhook")
@door(Right.SIGNED_IN)
def remove(request: UserRequest, webhook_id: int) -> Status[None]:
    """Call it no more; its log goes with it."""
    hook = access.webhook(request.user, webhook_id)
    webhooks.remove(hook, by=_asker(request))
    return Status(204, None)


@router.post(
    "webhooks/{int:webhook_id}/secret/", response=SecretOut, url_name="webhook-secret"
)
@door(Right.SIGNED_IN)
def renew(
    request: UserRequest, response: HttpResponse, webhook_id: int
) -> dict[str, str]:
    """A new secret instead of the old one."""
    hook = access.webhook(request.user, webhook_id)
    response.headers["Cache-Control"] = "no-store"
    return {"secret": webhooks.renew_secret(hook, by=_asker(request))}


@router.post(
    "webhooks/{int:webhook_id}/test/",
    response={201: DeliveryOut},
    url_name="webhook-test",
)
@door(Right.SIGNED_IN)
def try_out(request: UserRequest, webhook_id: int) -> Status[dict[str, Any]]:
    """Send it a test soon."""
    hook = access.webhook(request.user, webhook_id)
    return Status(201, delivery_json(webhooks.try_out(hook, by=_asker(request))))


@router.get(
    "webhooks/{int:webhook_id}/deliveries/",
    response=doors.Page[DeliveryOut],
    url_name="webhook-deliveries",
)
@door(Right.SIGNED_IN)
def deliveries(
    request: UserRequest, webhook_id: int, query: Query[DeliveriesQuery]
) -> dict[str, Any]:
    """What was or will be sent there, newest first; kept for a month."""
    rows = queries.deliveries(access.webhook(request.user, webhook_id))
    rows = rows.filter(state=query.state) if query.state else rows
    ordering = {"at": "at", "state": "state", "event": "event"}
    page = doors.paged(rows, query, ordering=ordering, search=("title", "event"))
    return page | {"items": [delivery_json(row) for row in page["items"]]}


@router.post(
    "webhooks/{int:webhook_id}/deliveries/{uuid:delivery_id}/again/",
    response={201: DeliveryOut},
    url_name="delivery-again",
)
@door(Right.SIGNED_IN)
def again(
    request: UserRequest, webhook_id: int, delivery_id: UUID
) -> Status[dict[str, Any]]:
    """Send it once more, as a delivery of its own."""
    found = access.delivery(request.user, webhook_id, delivery_id)
    return Status(201, delivery_json(webhooks.send_again(found, by=_asker(request))))


def _asker(request: UserRequest) -> Asker:
    return Asker(request.user, request.client_address)
