"""Periodic: what is due for leases."""

from celery import shared_task
from django.utils import timezone

from portal.leases import looking


@shared_task(name="leases.look")
def look() -> None:
    """Asked for every minute."""
    looking.look(timezone.now())
