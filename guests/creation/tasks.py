"""Periodic: what a creation had to leave behind is looked after."""

from celery import shared_task

from guests.creation import tidying


@shared_task(name="creation.tidy")
def tidy() -> None:
    """Asked for every half minute."""
    tidying.look()
