"""Periodic: spans follow prices, flavors, and whatever changed without a word."""

from celery import shared_task
from django.utils import timezone

from portal.showback import spans


@shared_task(name="showback.follow")
def follow() -> None:
    """Asked for every minute."""
    spans.follow(timezone.now())
