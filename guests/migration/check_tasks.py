"""Periodic: storage that looks shared is tried, moves left open are settled."""

from celery import shared_task

from guests.migration import settling, suspecting


@shared_task(name="migration.prove")
def prove() -> None:
    """Asked for every half minute."""
    suspecting.look()


@shared_task(name="migration.settle")
def settle() -> None:
    """Asked for every quarter of a minute."""
    settling.look()
