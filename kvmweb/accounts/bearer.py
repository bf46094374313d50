"""API tokens as the wire carries them: made once, kept as a hash, looked up by it."""

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from kvmweb.accounts.models import Token

START = "kvw_"
PREFIX = 12  # letters kept readable, so that people can tell tokens apart
NOTED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Secret:
    """A new token's text; only its maker ever sees it."""

    text: str = field(repr=False)

    @property
    def prefix(self) -> str:
        """The readable beginning."""
        return self.text[:PREFIX]

    @property
    def digest(self) -> str:
        """What is kept: 256 random bits need no slow hash."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def new_secret() -> Secret:
    """A token nobody can guess."""
    return Secret(START + secrets.token_urlsafe(32))


def find(text: str) -> Token | None:
    """The valid token with this text and its user, and note that it was used.

    None when it is unknown, expired or revoked, or its user is disabled.
    """
    now = timezone.now()
    digest = Secret(text.encode(errors="replace").decode()).digest
    token = (
        Token.objects.select_related("user")
        .filter(Q(expires_at=None) | Q(expires_at__gt=now))
        .filter(digest=digest, revoked_at=None, user__is_active=True)
        .first()
    )
    if token is not None:
        token.user.within = token.project_id
        _note_use(token)
    return token


def _note_use(token: Token) -> None:
    """Write down the use, at most once a minute."""
    now = timezone.now()
    if token.last_used_at is None or token.last_used_at < now - NOTED_EVERY:
        Token.objects.filter(pk=token.pk).update(last_used_at=now)


def in_header(value: str) -> str | None:
    """The token in an Authorization header; None when it speaks of something else."""
    scheme, _, text = value.partition(" ")
    return text.strip() if scheme.lower() == "bearer" else None
