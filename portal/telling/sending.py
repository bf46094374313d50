"""Sending what waits: each row is claimed by one sender, tried, and ended or put off.

A claim is a lease by compare-and-set, and every end asks for it again; a sender that
died is followed by another one once its lease is over. So a message may come twice,
with the same id, and never not at all. One webhook is called by one sender at a time.
"""

import json
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import F, Q, QuerySet
from django.template.loader import render_to_string
from django.utils import timezone

from hosts.vault import open_text
from kvmweb import mail
from kvmweb.accounts.models import Role, User
from kvmweb.errors import AppError
from kvmweb.mail import Letter, NotDelivered
from portal.telling import calling, signing, webhooks
from portal.telling.events import Way, event_of
from portal.telling.json import call_json
from portal.telling.models import Delivery, Notice, Webhook
from portal.telling.services import tell

logger = logging.getLogger(__name__)

LEASE = timedelta(minutes=3)  # longer than any try can last
RUN_S = 50.0  # one run begins nothing later
TRIES = 9  # the last one about 27 hours after the first
PATIENCE = timedelta(days=3)  # for a webhook that takes nothing
KEPT = timedelta(days=30)  # deliveries, for the log
NOTICES_KEPT = timedelta(days=180)
_FIRST = timedelta(seconds=30)
_GROWTH = 3.0
_JITTER = 0.2
_AT_ONCE = {Way.MAIL: 1, Way.WEBHOOK: 3}  # threads that may wait for others
_GONE = 410
State = Delivery.State


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one try ended."""

    sent: bool
    said: str = ""
    code: int | None = None
    final: bool = False  # it will not be different the next time
    cancelled: bool = False  # nobody is to be told any more


def send(way: Way) -> int:
    """Send what is due until nothing is; how many were tried."""
    begun, count = time.monotonic(), 0
    while time.monotonic() - begun < RUN_S:
        delivery = claim(way, timezone.now())
        if delivery is None:
            break
        attempt(delivery)
        count += 1
    return count


def claim(way: Way, now: datetime) -> Delivery | None:
    """The next that is due, now ours to send; None: none, or enough are being sent."""
    taken = Delivery.objects.filter(state=State.WAITING, way=way, lease_until__gt=now)
    busy = taken.values("webhook")
    due = (
        Delivery.objects.filter(state=State.WAITING, way=way, next_at__lte=now)
        .filter(Q(lease_until=None) | Q(lease_until__lte=now))
        .order_by("next_at", "at", "pk")
    )
    if way == Way.WEBHOOK:
        rested = Q(webhook__not_before=None) | Q(webhook__not_before__lte=now)
        due = due.filter(rested, webhook__active=True).exclude(webhook__in=busy)
    if taken.count() >= _AT_ONCE[way]:
        return None
    for found in due.select_related("user", "webhook")[:5]:
        claimed = _still(found).update(
            lease_until=now + LEASE, attempts=F("attempts") + 1
        )
        if claimed:
            found.attempts += 1
            found.lease_until = now + LEASE
            return found
    return None


def attempt(delivery: Delivery) -> None:
    """Try it once, and write down how that ended."""
    begun = time.monotonic()
    outcome = _TRIED[Way(delivery.way)](delivery)
    took_ms = round((time.monotonic() - begun) * 1000)
    now = timezone.now()
    _end(delivery, outcome, took_ms, now)
    if delivery.webhook is not None and not outcome.cancelled:
        _mark(delivery.webhook, outcome, now)


def delay(attempts: int) -> timedelta:
    """How long to wait after so many tries: 30 s, 90 s, … a day, give or take a fifth."""
    spread = random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311  # no secret
    return _FIRST * (_GROWTH ** (attempts - 1) * spread)


def forget(now: datetime) -> None:
    """Drop what is old: deliveries that ended, notices."""
    Delivery.objects.filter(ended_at__lt=now - KEPT).delete()
    Notice.objects.filter(at__lt=now - NOTICES_KEPT).delete()


def _still(delivery: Delivery) -> QuerySet[Delivery]:
    """The row, while nobody else has touched it."""
    return Delivery.objects.filter(
        pk=delivery.pk,
        state=State.WAITING,
        attempts=delivery.attempts,
        lease_until=delivery.lease_until,
    )


def _end(delivery: Delivery, outcome: Outcome, took_ms: int, now: datetime) -> None:
    columns: dict[str, Any] = {
        "lease_until": None,
        "answer_code": outcome.code,
        "took_ms": took_ms,
        "said": outcome.said,
    }
    if outcome.sent:
        columns |= {"state": State.SENT, "ended_at": now}
    elif outcome.cancelled:
        columns |= {"state": State.CANCELLED, "ended_at": now}
    elif outcome.final or delivery.attempts >= TRIES:
        columns |= {"state": State.FAILED, "ended_at": now}
    else:
        columns["next_at"] = now + delay(delivery.attempts)
    if not _still(delivery).update(**columns):
        logger.warning("Delivery %s was taken over.", delivery.pk)


def _mail(delivery: Delivery) -> Outcome:
    person = delivery.user
    if person is None or not person.is_active or not person.email:
        return Outcome(
            sent=False, cancelled=True, said="They have no address any more."
        )
    context = {
        "delivery": delivery,
        "person": person,
        "url": settings.PUBLIC_URL,
        "event": event_of(delivery.event),
    }
    letter = Letter(
        to=person.email,
        subject=delivery.title,
        text=render_to_string("portal/telling/mail.txt", context),
        html=render_to_string("portal/telling/mail.html", context),
        ident=str(delivery.pk),
    )
    try:
        mail.send(letter)
    except NotDelivered as error:
        return Outcome(sent=False, said=str(error), final=error.final)
    except AppError as error:
        return Outcome(sent=False, said=str(error))
    return Outcome(sent=True)


def _call(delivery: Delivery) -> Outcome:
    hook = delivery.webhook
    if hook is None or (hook.user_id and not _is_active(hook.user_id)):
        return Outcome(sent=False, cancelled=True, said="Whose it was is here no more.")
    body = json.dumps(call_json(delivery), separators=(",", ":")).encode()
    try:
        secret, url = open_text(hook.sealed_secret), open_text(hook.sealed_url)
        timestamp = int(timezone.now().timestamp())
        headers = signing.headers(secret, str(delivery.pk), timestamp, body) | {
            "Content-Type": "application/json",
            "User-Agent": "kvmweb",
        }
        code = calling.post(url, body, headers, private=webhooks.may_be_private(hook))
    except AppError as error:
        return Outcome(sent=False, said=str(error))
    if code // 100 == 2:  # the hundreds say what kind of answer it is
        return Outcome(sent=True, code=code)
    said = f"It answered {code}."
    if code // 100 == 3:
        said += " Redirects are not followed."
    return Outcome(sent=False, said=said, code=code, final=code == _GONE)


_TRIED: dict[Way, Callable[[Delivery], Outcome]] = {
    Way.MAIL: _mail,
    Way.WEBHOOK: _call,
}


def _is_active(user_id: int) -> bool:
    return User.objects.filter(pk=user_id, is_active=True).exists()


def _mark(hook: Webhook, outcome: Outcome, now: datetime) -> None:
    """Remember how it fares; switch it off when nobody answered for days."""
    row = Webhook.objects.filter(pk=hook.pk)
    if outcome.sent:
        row.update(answered_at=now, failing_since=None, failures=0, not_before=None)
        return
    failing_since = hook.failing_since or now
    failures = hook.failures + 1
    rest = min(delay(min(failures, TRIES)), timedelta(hours=1))
    row.update(failing_since=failing_since, failures=failures, not_before=now + rest)
    if outcome.code == _GONE:
        switch_off(hook, "It said that it is gone for good (410).", now)
    elif now - failing_since >= PATIENCE:
        days = (now - failing_since).days
        switch_off(hook, f"It took nothing for {days} days: {outcome.said}", now)


def switch_off(hook: Webhook, reason: str, now: datetime) -> None:
    """Call it no more, and say so to who keeps it."""
    row = Webhook.objects.filter(pk=hook.pk, active=True)
    if not row.update(active=False, off_reason=reason):
        return
    webhooks.cancel_waiting(hook, now)
    active = User.objects.filter(is_active=True)
    mine, admins = Q(pk=hook.user_id), Q(role=Role.ADMIN)
    tell(
        "webhook.off",
        active.filter(mine if hook.user_id else admins),
        title=f"The webhook {hook.name} was switched off",
        text=f"{reason} It is called again once it is switched on.",
        page=hook.get_absolute_url(),
        data={"webhook": hook.pk},
    )
