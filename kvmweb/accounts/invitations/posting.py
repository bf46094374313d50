"""Sending letters: by beat, never in a request, a few tries each."""

import logging
from datetime import timedelta
from urllib.parse import urljoin

from django.conf import settings
from django.db.models import F
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from kvmweb import mail
from kvmweb.accounts.invitations import links
from kvmweb.accounts.invitations.models import Letter
from kvmweb.errors import Invalid

log = logging.getLogger(__name__)

TRIES = 6
AT_ONCE = 20
_FIRST_PAUSE_S = 30


def can_send() -> bool:
    """Whether there is a mail server."""
    return mail.possible()


def address_of(letter: Letter) -> str:
    """The whole address in a letter."""
    page = "invitation" if letter.kind == Letter.Kind.INVITATION else "new-password"
    return urljoin(
        f"{settings.PUBLIC_URL}/", reverse(page, args=[links.link_of(letter)])
    )


def send_due() -> None:
    """Send what is due; what the mail server refuses is tried again later."""
    if not can_send():
        return
    now = timezone.now()
    due = Letter.objects.filter(due_at__lte=now, used_at=None, expires_at__gt=now)
    for letter in due.select_related("user", "by", "project")[:AT_ONCE]:
        pause = timedelta(seconds=_FIRST_PAUSE_S * 2**letter.tries)
        mine = Letter.objects.filter(pk=letter.pk, due_at=letter.due_at)
        last = letter.tries + 1 >= TRIES
        claimed = mine.update(
            due_at=None if last else now + pause, tries=F("tries") + 1
        )
        if claimed:
            _send(letter)


def _send(letter: Letter) -> None:
    sent = Letter.objects.filter(pk=letter.pk)
    try:
        mail.send(_written(letter))
    except (mail.NotDelivered, Invalid) as error:
        log.warning("A letter could not be sent: %s", error)
        sent.update(error=str(error)[:200])
        if isinstance(error, mail.NotDelivered) and error.final:
            sent.update(due_at=None)
        return
    sent.update(sent_at=timezone.now(), due_at=None, error="")


def _written(letter: Letter) -> mail.Letter:
    context = {
        "letter": letter,
        "address": address_of(letter),
        "site": settings.PUBLIC_URL,
    }
    name = f"accounts/mail/{letter.kind}"
    invited = letter.kind == Letter.Kind.INVITATION
    return mail.Letter(
        to=letter.email,
        subject="You are invited to kvmweb" if invited else "A new kvmweb password",
        text=render_to_string(f"{name}.txt", context),
        html=render_to_string(f"{name}.html", context),
        ident=letter.pk.hex,
    )
