"""Tickets for screens: asked for, taken once, and asked again while a screen is open.

They are rows, because the rights they carry are rows: taking one is a single UPDATE that
only the first can win, it survives a Redis that is restarted, and it goes with its user.
"""

import hashlib
import hmac
import secrets
from base64 import b64encode
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.conf import settings
from django.utils import timezone

from guests import access, queries
from guests.models import ConsoleTicket, Guest
from hosts.models import Host
from kvmweb.accounts.gate import Right, sees_all
from kvmweb.accounts.models import Token, User
from kvmweb.errors import (
    AppError,
    Conflict,
    Forbidden,
    HostError,
    Invalid,
    NotKnown,
)
from kvmweb.virt.types import DomainState, Transport

LIFE = timedelta(seconds=30)
KEPT = timedelta(hours=1)  # after their end, to tell why no screen came
PATH = "/ws/console/"
_PASSWORD_LETTERS = 8  # VNC looks at no more
ON = (DomainState.RUNNING, DomainState.PAUSED, DomainState.SHUTTING_DOWN)
_OWN_MACHINE = (Transport.LOCAL, Transport.UNIX)


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks for a screen: a person, by a browser's session or by a token."""

    user: User
    session_key: str = field(default="", repr=False)
    token: Token | None = None


@dataclass(frozen=True, slots=True)
class Issued:
    """A new ticket; its text is nowhere else."""

    kind: str
    text: str = field(repr=False)
    password: str = field(repr=False)  # "": the screen asks for none
    expires_at: datetime

    @property
    def path(self) -> str:
        """Where a WebSocket redeems it, once."""
        return f"{PATH}?{urlencode({'ticket': self.text})}"


def ask(guest: Guest, asker: Asker, kind: str, *, view_only: bool = False) -> Issued:
    """A ticket for the guest's screen or serial port, good once within 30 seconds.

    One for a guest that moves just now leads to where it will be. Raises Conflict when
    the guest has none now, Invalid when it cannot be only looked at.
    """
    if not queries.is_moving(guest):
        _need_on(guest)
    _need_screen(guest, kind)
    if view_only and kind == ConsoleTicket.Kind.SERIAL:
        sentence = "A serial port cannot be opened to look only."
        raise Invalid(sentence, errors={"view_only": [sentence]})
    now = timezone.now()
    ConsoleTicket.objects.filter(expires_at__lt=now - KEPT).delete()
    text = secrets.token_urlsafe(32)
    ticket = ConsoleTicket.objects.create(
        digest=digest(text),
        user=asker.user,
        session_digest=digest(asker.session_key) if asker.session_key else "",
        token=asker.token,
        guest=guest,
        kind=kind,
        view_only=view_only,
        expires_at=now + LIFE,
    )
    protected = guest.host is not None and guest.host.transport not in _OWN_MACHINE
    password = password_of(text) if protected and kind == "vnc" else ""
    return Issued(kind, text, password, ticket.expires_at)


def peek(text: str, *, session_key: str, who: User | None) -> ConsoleTicket:
    """The ticket, if whoever holds it now is the one it was made for; not taken yet.

    `who` is the person behind the cookie that came along, if any. Raises NotKnown, and
    tells nobody whether it was the ticket or the person that did not fit.
    """
    rows = ConsoleTicket.objects.select_related("user", "guest", "token")
    ticket = rows.filter(
        digest=digest(text), taken_at=None, expires_at__gt=timezone.now()
    ).first()
    if ticket is None or not _fits(ticket, session_key, who):
        raise NotKnown("This ticket was used, is too old, or is not yours.")
    return ticket


def take(text: str) -> ConsoleTicket:
    """Redeem the ticket: of a hundred at once, one gets it. Raises NotKnown."""
    now = timezone.now()
    rows = ConsoleTicket.objects.filter(digest=digest(text))
    if not rows.filter(taken_at=None, expires_at__gt=now).update(taken_at=now):
        raise NotKnown("This ticket was used, or is too old.")
    return rows.select_related("user", "guest__host", "token").get()


def need_still(ticket: ConsoleTicket, who: User | None) -> None:
    """Nothing, if the holder may still see this screen. Raises an AppError.

    `who` is the person whom the cookie means now; None without one.
    """
    if ticket.session_digest and (who is None or who.pk != ticket.user_id):
        raise NotKnown("You were signed out.")
    need_right(ticket)


def need_right(ticket: ConsoleTicket) -> None:
    """The same, of the account and the token alone."""
    user = User.objects.get(pk=ticket.user_id)
    if not user.is_active:
        raise Forbidden("This account was disabled.")
    if ticket.token_id and not _valid_token(ticket.token_id):
        raise NotKnown("The token this screen was opened with is not valid any more.")
    if ticket.token is not None:
        user.within = ticket.token.project_id
    access.guest(user, ticket.guest_id, Right.CONSOLE)


def failed(ticket: ConsoleTicket, error: AppError) -> None:
    """Write down why no screen came, for who waits for it."""
    told = str(error)
    if isinstance(error, HostError) and not sees_all(ticket.user):
        told = f"{ticket.guest.name} cannot be shown: its host did not let us in."
    ConsoleTicket.objects.filter(pk=ticket.pk).update(problem=told)


def problem_of(ticket: ConsoleTicket) -> str:
    """Why no screen came; "" when somebody else had taken the ticket."""
    rows = ConsoleTicket.objects.filter(pk=ticket.pk)
    return rows.values_list("problem", flat=True).first() or ""


def password_of(text: str) -> str:
    """The VNC password that belongs to a ticket: from its text and our key, kept nowhere."""
    key = f"guests.console:{settings.SECRETS_KEY}".encode()
    made = hmac.new(key, text.encode(), hashlib.sha256)
    letters = "".join(c for c in b64encode(made.digest()).decode() if c.isalnum())
    return letters[:_PASSWORD_LETTERS]


def digest(text: str) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()


def _need_on(guest: Guest) -> None:
    if guest.state not in ON:
        message = f"{guest.name} is {guest.state}: there is no screen to show."
        raise Conflict(message, hint="Start it first.")
    if guest.host is None or guest.host.state != Host.State.UP:
        raise Conflict(
            f"The host of {guest.name} cannot be reached now, so it cannot be shown."
        )


def _need_screen(guest: Guest, kind: str) -> None:
    if kind == ConsoleTicket.Kind.SERIAL and not guest.serial:
        raise Conflict(f"{guest.name} has no serial port.")
    if kind == ConsoleTicket.Kind.VNC and not _has_vnc(guest):
        raise Conflict(f"{guest.name} has no VNC screen.")


def _has_vnc(guest: Guest) -> bool:
    return any(screen.get("kind") == "vnc" for screen in guest.graphics)


def _fits(ticket: ConsoleTicket, session_key: str, who: User | None) -> bool:
    if ticket.session_digest:
        same = hmac.compare_digest(ticket.session_digest, digest(session_key))
        return same and who is not None and who.pk == ticket.user_id
    return who is None or who.pk == ticket.user_id


def _valid_token(pk: int) -> bool:
    rows = Token.objects.filter(pk=pk, revoked_at=None)
    return rows.filter(expires_at=None).exists() or (
        rows.filter(expires_at__gt=timezone.now()).exists()
    )
