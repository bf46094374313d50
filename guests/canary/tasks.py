"""Periodic: tonight's flight, and what earlier ones had to leave."""

from celery import shared_task

from guests.canary import services


@shared_task(name="canary.look")
def look() -> None:
    """Asked for every minute."""
    services.look()
