"""What can be asked of telling: tell, read, choose."""

from collections.abc import Collection, Iterable
from typing import Any

from django.db import transaction
from django.utils import timezone

from kvmweb import mail
from kvmweb.accounts.models import User
from kvmweb.live import news
from portal.telling import queries
from portal.telling.events import EVENTS, Way, usual
from portal.telling.json import notice_json
from portal.telling.models import Choice, Delivery, Notice

TOPIC = "notices"
Wishes = dict[tuple[str, Way], bool]


def tell(
    event: str,
    people: Iterable[User],
    *,
    title: str,
    text: str = "",
    page: str = "",
    data: dict[str, Any] | None = None,
) -> None:
    """Tell each of these once, in the ways they chose; the administrators' webhooks too.

    Only rows are written, in the caller's transaction; what is sent is sent after it.
    `page` is an address of ours ("/requests/5/"). Four queries, however many there are.
    """
    told = {
        "event": event,
        "title": " ".join(title.split())[:200],
        "text": text,
        "page": page,
        "data": data or {},
        "at": timezone.now(),
    }
    known = {person.pk: person for person in people if person.is_active}
    with transaction.atomic():
        choices = queries.choices(known, event)
        wanted = {
            way: [
                person
                for pk, person in known.items()
                if choices.get((pk, way), usual(event, way))
            ]
            for way in Way
        }
        _note(wanted[Way.PAGE], told)
        Delivery.objects.bulk_create(
            [*_letters(wanted[Way.MAIL], told), *_calls(wanted[Way.WEBHOOK], told)]
        )


def read(notice: Notice) -> Notice:
    """They have seen it."""
    now = timezone.now()
    if Notice.objects.filter(pk=notice.pk, read_at=None).update(read_at=now):
        notice.read_at = now
        _announce_read(notice.user_id)
    return notice


def read_all(user: User) -> int:
    """They have seen everything; how much that was."""
    rows = Notice.objects.filter(user=user, read_at=None)
    count = rows.update(read_at=timezone.now())
    if count:
        _announce_read(user.pk)
    return count


def choose(user: User, wishes: Wishes) -> None:
    """How they want to hear of what; what is not named stays as it is."""
    known = {
        (event, way): wanted
        for (event, way), wanted in wishes.items()
        if event in EVENTS
    }
    with transaction.atomic():
        Choice.objects.bulk_create(
            [
                Choice(user=user, event=event, way=way, wanted=wanted)
                for (event, way), wanted in known.items()
            ],
            update_conflicts=True,
            unique_fields=["user", "event", "way"],
            update_fields=["wanted"],
        )


def _note(people: Collection[User], told: dict[str, Any]) -> None:
    rows = [Notice(user=person, **told) for person in people]
    Notice.objects.bulk_create(rows)
    news.publish_many(
        [
            (TOPIC, "state", {"user": row.user_id, "notice": notice_json(row)})
            for row in rows
        ]
    )


def _letters(people: Collection[User], told: dict[str, Any]) -> list[Delivery]:
    if not mail.possible():
        return []
    return [
        Delivery(way=Way.MAIL, user=person, **told) for person in people if person.email
    ]


def _calls(people: Collection[User], told: dict[str, Any]) -> list[Delivery]:
    hooks = queries.listening([person.pk for person in people], told["event"])
    return [
        Delivery(way=Way.WEBHOOK, webhook=hook, user_id=hook.user_id, **told)
        for hook in hooks
    ]


def _announce_read(user_id: int) -> None:
    news.publish(TOPIC, "state", {"user": user_id, "notice": None})
