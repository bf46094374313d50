"""Periodic: letters and calls of webhooks that wait, and what is old."""

from celery import shared_task
from django.utils import timezone

from portal.telling import sending
from portal.telling.events import Way


@shared_task(name="telling.mail")
def mail() -> None:
    """Asked for every 5 s."""
    sending.send(Way.MAIL)


@shared_task(name="telling.call")
def call() -> None:
    """Asked for every 5 s."""
    sending.send(Way.WEBHOOK)


@shared_task(name="telling.forget")
def forget() -> None:
    """Asked for every hour."""
    sending.forget(timezone.now())
