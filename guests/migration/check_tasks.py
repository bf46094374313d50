"""Periodic: storage that looks shared is tried."""

from celery import shared_task

from guests.migration import suspecting


@shared_task(name="migration.prove")
def prove() -> None:
    """Asked for every half minute."""
    suspecting.look()
