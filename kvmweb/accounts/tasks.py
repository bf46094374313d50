"""What people leave behind, swept every hour."""

from importlib import import_module

from celery import shared_task
from django.conf import settings

from kvmweb.accounts import signin


@shared_task(name="accounts.forget")
def forget() -> None:
    """Drop sessions that ended and wrong passwords that count no more."""
    signin.forget_failures()
    import_module(settings.SESSION_ENGINE).SessionStore.clear_expired()
