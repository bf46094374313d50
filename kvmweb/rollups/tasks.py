"""Periodic: numbers into the database, and old ones out of it."""

from celery import shared_task

from kvmweb.rollups import rolling


@shared_task(name="rollups.roll_up")
def roll_up() -> None:
    """Keep the whole minutes Redis holds; asked for every five minutes."""
    rolling.roll_up()


@shared_task(name="rollups.forget")
def forget() -> None:
    """Drop what is older than a week or a year; asked for every hour."""
    rolling.forget()
