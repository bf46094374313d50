"""What people leave behind, swept every hour; letters, sent as they come."""

from importlib import import_module

from celery import shared_task
from django.conf import settings

from kvmweb.accounts import signin
from kvmweb.accounts.invitations import posting
from kvmweb.accounts.invitations import services as invitations


@shared_task(name="accounts.forget")
def forget() -> None:
    """Drop sessions that ended and wrong passwords that count no more."""
    signin.forget_failures()
    invitations.forget_old()
    import_module(settings.SESSION_ENGINE).SessionStore.clear_expired()


@shared_task(name="accounts.post")
def post() -> None:
    """Send the letters that are due."""
    posting.send_due()
