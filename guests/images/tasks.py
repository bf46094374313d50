"""Periodic: what was uploaded becomes an image, seeds go after the first boot."""

from celery import shared_task

from guests.images import services, unseeding


@shared_task(name="images.follow")
def follow() -> None:
    """Asked for every ten seconds."""
    services.uploaded()
    unseeding.look()
