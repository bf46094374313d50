"""Notices, webhooks and deliveries as the API, live news and webhooks write them."""

from datetime import UTC, datetime
from typing import Any

from django.conf import settings

from kvmweb.live import news
from portal.telling.models import Delivery, Notice, Webhook

# Chats take these for marks of their own; "@all" in a name shall wake nobody.
_CHAT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "@\u200b"})


def notice_json(notice: Notice) -> dict[str, Any]:
    """A notice, whole."""
    return {
        "id": notice.pk,
        "event": notice.event,
        "title": notice.title,
        "text": notice.text,
        "page": notice.page,
        "data": notice.data,
        "at": moment(notice.at),
        "read_at": moment(notice.read_at),
    }


def webhook_json(hook: Webhook) -> dict[str, Any]:
    """A webhook, without its address and secret."""
    return {
        "id": hook.pk,
        "name": hook.name,
        "place": hook.place,
        "for_all": hook.user_id is None,
        "events": hook.events,
        "active": hook.active,
        "off_reason": hook.off_reason,
        "created_at": moment(hook.created_at),
        "answered_at": moment(hook.answered_at),
        "failing_since": moment(hook.failing_since),
    }


def delivery_json(delivery: Delivery) -> dict[str, Any]:
    """A delivery: what, how often it was tried, what was answered."""
    waiting = delivery.state == Delivery.State.WAITING
    return {
        "id": str(delivery.pk),
        "event": delivery.event,
        "title": delivery.title,
        "state": delivery.state,
        "attempts": delivery.attempts,
        "answer_code": delivery.answer_code,
        "took_ms": delivery.took_ms,
        "said": delivery.said,
        "at": moment(delivery.at),
        "next_at": moment(delivery.next_at) if waiting else None,
        "ended_at": moment(delivery.ended_at),
    }


def call_json(delivery: Delivery) -> dict[str, Any]:
    """The body of a webhook's call; `text` is what chats show.

    There is no `type`: Mattermost would take it for a type of its own and refuse.
    """
    page = f"{settings.PUBLIC_URL}{delivery.page}" if delivery.page else ""
    return {
        "id": str(delivery.pk),
        "event": delivery.event,
        "at": moment(delivery.at),
        "title": delivery.title,
        "text": _chat(delivery, page),
        "message": delivery.text,
        "page": page,
        "data": delivery.data,
    }


def moment(at: datetime | None) -> str | None:
    """A time as everyone outside reads it."""
    return None if at is None else news.moment(at.astimezone(UTC))


def _chat(delivery: Delivery, page: str) -> str:
    said = [delivery.title.translate(_CHAT), delivery.text.translate(_CHAT), page]
    return "\n".join(line for line in said if line)
