"""What the API of notices and webhooks takes and answers."""

from typing import Any, Literal
from uuid import UUID

from ninja import Schema
from pydantic import Field

from kvmweb import doors

Url = Field(min_length=1, max_length=2000)


class NoticeOut(Schema):
    """Something one was told."""

    id: int
    event: str
    title: str
    text: str
    page: str
    data: dict[str, Any]
    at: str
    read_at: str | None


class NoticesQuery(doors.PageQuery):
    """Which notices."""

    unread: bool = False


class ReadOut(Schema):
    """How many were read by this."""

    read: int


class WishOut(Schema):
    """In which ways one hears of an event."""

    event: str
    label: str
    page: bool
    mail: bool
    webhook: bool


class WishIn(doors.Strict):
    """The ways to change; what is left out stays."""

    event: str = Field(max_length=64)
    page: bool | None = None
    mail: bool | None = None
    webhook: bool | None = None


class WishesIn(doors.Strict):
    """Several at once."""

    items: list[WishIn] = Field(max_length=200)


class WebhookOut(Schema):
    """A webhook; its address and secret are shown to nobody again."""

    id: int
    name: str
    place: str
    for_all: bool
    events: list[str]
    active: bool
    off_reason: str
    created_at: str
    answered_at: str | None
    failing_since: str | None


class WebhookMade(WebhookOut):
    """A webhook with its secret, which is in this answer and nowhere else."""

    secret: str


class SecretOut(Schema):
    """The new secret, which is in this answer and nowhere else."""

    secret: str


class WebhookPatch(doors.Strict):
    """What to change; what is left out stays. No events: all of them."""

    name: str | None = Field(None, max_length=100)
    url: str | None = Field(None, min_length=1, max_length=2000)
    events: list[str] | None = Field(None, max_length=100)
    active: bool | None = None


class WebhookIn(doors.Strict):
    """A new one; `for_all`: it hears of whatever happens to anybody."""

    name: str = Field("", max_length=100)
    url: str = Url
    events: list[str] = Field([], max_length=100)
    for_all: bool = False


class DeliveryOut(Schema):
    """One message on its way to a webhook, and what came of it."""

    id: UUID
    event: str
    title: str
    state: Literal["waiting", "sent", "failed", "cancelled"]
    attempts: int
    answer_code: int | None
    took_ms: int | None
    said: str
    at: str
    next_at: str | None
    ended_at: str | None


class DeliveriesQuery(doors.PageQuery):
    """Which deliveries."""

    state: Literal["", "waiting", "sent", "failed", "cancelled"] = ""
