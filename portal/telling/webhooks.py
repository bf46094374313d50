"""What can be asked of webhooks: add, change, remove, try, send something again.

An address and a secret are sealed when they come and shown to nobody afterwards.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from hosts.vault import seal_text
from kvmweb.accounts import audit
from kvmweb.accounts.models import User
from kvmweb.accounts.services import Asker
from kvmweb.errors import Conflict, Forbidden, Invalid
from portal.telling import access, calling, signing
from portal.telling.events import EVENTS, TEST, Way
from portal.telling.models import Delivery, Webhook

MOST = 20  # of one person, and as many for everything
_TESTS = 5  # of one webhook that may wait at a time
State = Delivery.State


@dataclass(frozen=True, slots=True)
class Wish:
    """What to change of a webhook; None leaves it as it is. No events: all of them."""

    name: str | None = None
    url: str | None = None
    events: Collection[str] | None = None
    active: bool | None = None


def add(wish: Wish, *, for_all: bool, by: Asker) -> tuple[Webhook, str]:
    """A new webhook and its secret, which nobody can read again.

    Raises Invalid for an address that cannot be called, Forbidden, Conflict.
    """
    if for_all and not access.may_for_all(by.user):
        raise Forbidden("Only administrators keep webhooks that hear of everything.")
    owner: User | None = None if for_all else by.user
    hook = Webhook(user=owner)
    secret = signing.new_secret()
    hook.sealed_secret = seal_text(secret)
    with transaction.atomic():
        if Webhook.objects.filter(user=owner).count() >= MOST:
            raise Conflict(f"There are {MOST} webhooks.", hint="Delete one first.")
        _fill(hook, wish)
        if not hook.sealed_url:
            raise _invalid("url", "Say which address is called.")
        hook.name = hook.name or hook.place
        hook.save()
        _record("webhook.add", hook, by)
    return hook, secret


def edit(hook: Webhook, wish: Wish, *, by: Asker) -> Webhook:
    """Change it; switched on, it is called again at once. Raises Invalid."""
    with transaction.atomic():
        _fill(hook, wish)
        hook.name = hook.name or hook.place
        if wish.active is not None or wish.url is not None:
            hook.off_reason = ""
            hook.failing_since, hook.failures, hook.not_before = None, 0, None
        hook.save()
        if wish.active is False:
            cancel_waiting(hook, timezone.now())
        changed = [name for name in Wish.__slots__ if getattr(wish, name) is not None]
        _record("webhook.edit", hook, by, changed=changed)
    return hook


def renew_secret(hook: Webhook, *, by: Asker) -> str:
    """A new secret, which nobody can read again; the old one signs nothing any more."""
    secret = signing.new_secret()
    with transaction.atomic():
        hook.sealed_secret = seal_text(secret)
        hook.save(update_fields=["sealed_secret"])
        _record("webhook.new-secret", hook, by)
    return secret


def remove(hook: Webhook, *, by: Asker) -> None:
    """It is called no more, and its log goes with it."""
    with transaction.atomic():
        _record("webhook.remove", hook, by)
        hook.delete()


def try_out(hook: Webhook, *, by: Asker) -> Delivery:
    """Send it a test soon. Raises Conflict when it is off, or tests wait already."""
    _need_on(hook)
    waiting = Delivery.objects.filter(webhook=hook, event=TEST, state=State.WAITING)
    with transaction.atomic():
        if waiting.count() >= _TESTS:
            raise Conflict("Tests are on their way to it already.")
        Webhook.objects.filter(pk=hook.pk).update(not_before=None)
        return _put(
            hook,
            event=TEST,
            title=f"A test of the webhook {hook.name}",
            text=f"{by.user.username} asked for it. Nothing has happened.",
            page=hook.get_absolute_url(),
        )


def send_again(delivery: Delivery, *, by: Asker) -> Delivery:
    """Send it once more, as a delivery of its own. Raises Conflict while it waits."""
    hook = delivery.webhook
    if hook is None or delivery.state == State.WAITING:
        raise Conflict("It is on its way already.")
    _need_on(hook)
    with transaction.atomic():
        Webhook.objects.filter(pk=hook.pk).update(not_before=None)
        _record("webhook.send-again", hook, by, delivery=str(delivery.pk))
        return _put(
            hook,
            event=delivery.event,
            title=delivery.title,
            text=delivery.text,
            page=delivery.page,
            data=delivery.data,
        )


def cancel_waiting(hook: Webhook, now: datetime) -> None:
    """Nothing that waits is sent there any more."""
    Delivery.objects.filter(webhook=hook, state=State.WAITING).update(
        state=State.CANCELLED,
        ended_at=now,
        lease_until=None,
        said="The webhook was switched off.",
    )


def may_be_private(hook: Webhook) -> bool:
    """Whether it may reach addresses that are not public."""
    return hook.user_id is None or bool(settings.WEBHOOK_PRIVATE)


def _fill(hook: Webhook, wish: Wish) -> None:
    if wish.name is not None:
        hook.name = " ".join(wish.name.split())[:100]
    if wish.url is not None:
        calling.need_callable(wish.url, private=may_be_private(hook))
        hook.place, hook.sealed_url = calling.place_of(wish.url), seal_text(wish.url)
    if wish.events is not None:
        unknown = sorted(set(wish.events) - set(EVENTS))
        if unknown:
            raise _invalid("events", f"There is no event {unknown[0]}.")
        hook.events = sorted(set(wish.events))
    if wish.active is not None:
        hook.active = wish.active


def _put(hook: Webhook, **told: Any) -> Delivery:
    return Delivery.objects.create(
        way=Way.WEBHOOK, webhook=hook, user_id=hook.user_id, **told
    )


def _need_on(hook: Webhook) -> None:
    if not hook.active:
        raise Conflict(f"{hook.name} is switched off.", hint="Switch it on first.")


def _invalid(field: str, sentence: str) -> Invalid:
    return Invalid(sentence, errors={field: [sentence]})


def _record(action: str, hook: Webhook, by: Asker, **details: object) -> None:
    audit.record(
        action,
        actor=by.user,
        target=f"webhook:{hook.pk}" if hook.pk else "",
        outcome="succeeded",
        address=by.address,
        details={"name": hook.name, "place": hook.place, **details},
    )
