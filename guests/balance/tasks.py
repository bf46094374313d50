"""Periodic: balancing where it was switched on."""

from celery import shared_task
from django.utils import timezone

from guests.balance import services


@shared_task(name="balance.look")
def look() -> None:
    """Asked for every minute."""
    services.automatic(timezone.now())
