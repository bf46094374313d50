"""Periodic: what projects take up follows what their guests' hosts say."""

from celery import shared_task

from portal.ledger import charging


@shared_task(name="ledger.follow")
def follow() -> None:
    """Asked for every half minute."""
    charging.follow()
