"""Periodic: what a clone had to leave behind is looked after."""

from celery import shared_task

from guests.cloning import tidying


@shared_task(name="cloning.tidy")
def tidy() -> None:
    """Asked for every half minute."""
    tidying.look()
