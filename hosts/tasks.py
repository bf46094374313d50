"""Periodic: what nobody waits for in storage."""

from celery import shared_task

from hosts.storage import tidying


@shared_task(name="hosts.empty_trash")
def empty_trash() -> None:
    """Have due volumes deleted; asked for every ten minutes."""
    tidying.empty_trash()


@shared_task(name="hosts.clear_unfinished")
def clear_unfinished() -> None:
    """Have half-made volumes deleted; asked for every 20 s."""
    tidying.clear_unfinished()
