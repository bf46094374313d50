"""Periodic: secrets whose operation ended without its work go."""

from celery import shared_task

from guests.inside import sealing


@shared_task(name="inside.forget")
def forget() -> None:
    """Asked for every minute."""
    sealing.forget_ended()
