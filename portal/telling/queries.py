"""Notices, webhooks, deliveries and choices, by whose they are."""

from collections.abc import Collection

from django.db.models import Q, QuerySet

from kvmweb.accounts.models import User
from portal.telling.events import Event, Way, groups, usual
from portal.telling.models import Choice, Delivery, Notice, Webhook

_IN_DRAWER = 15


def notices(user: User, *, unread: bool = False) -> QuerySet[Notice]:
    """What somebody was told, newest first."""
    rows = Notice.objects.filter(user=user)
    return rows.filter(read_at=None) if unread else rows


def drawer(user: User) -> list[Notice]:
    """The last of them. One query."""
    return list(notices(user)[:_IN_DRAWER])


def choices(people: Collection[int], event: str) -> dict[tuple[int, Way], bool]:
    """What these people chose for this event. One query."""
    rows = Choice.objects.filter(user__in=list(people), event=event)
    found = rows.values_list("user", "way", "wanted")
    return {(user, Way(way)): wanted for user, way, wanted in found}


def wishes(user: User) -> dict[str, list[tuple[Event, dict[Way, bool]]]]:
    """Every event with the ways it comes, in groups. One query."""
    chosen = {
        (event, Way(way)): wanted
        for event, way, wanted in Choice.objects.filter(user=user).values_list(
            "event", "way", "wanted"
        )
    }
    return {
        name: [
            (
                event,
                {
                    way: chosen.get((event.word, way), usual(event.word, way))
                    for way in Way
                },
            )
            for event in events
        ]
        for name, events in groups().items()
    }


def listening(people: Collection[int], event: str) -> list[Webhook]:
    """Webhooks of these people and the administrators' that take this event. One query."""
    whose = Q(user__in=list(people)) | Q(user=None)
    rows = Webhook.objects.filter(whose, active=True)
    return [hook for hook in rows if not hook.events or event in hook.events]


def webhooks(user: User, *, for_all: bool) -> QuerySet[Webhook]:
    """Somebody's own; with `for_all` the administrators' too."""
    whose = Q(user=user) | Q(user=None) if for_all else Q(user=user)
    return Webhook.objects.filter(whose)


def deliveries(hook: Webhook) -> QuerySet[Delivery]:
    """What was or will be sent there, newest first."""
    return Delivery.objects.filter(webhook=hook)
