"""Between the two steps of signing in: who has shown a password, and is nobody yet.

The session then holds who it may become, no user: no door opens to it but those of the
second step.
"""

import time
from dataclasses import dataclass

from django.conf import settings
from django.contrib import auth
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare

from kvmweb.accounts import audit
from kvmweb.accounts.models import Role, User
from kvmweb.accounts.second.models import App, Passkey
from kvmweb.accounts.sessions import store

CONFIRMED = "confirmed_at"  # in a session: when its owner last showed who they are
PASSED = "second_at"  # in a session: when the second step was taken
BACKEND = "django.contrib.auth.backends.ModelBackend"
_HALF = "half"
_LASTS_S = 10 * 60


@dataclass(frozen=True, slots=True)
class Half:
    """Who has taken the first step, how, and where they wanted to go."""

    user: User
    how: str
    after: str


def demanded() -> bool:
    """Whether anybody must have a second factor."""
    return bool(settings.SECOND_FACTOR != "off")


def required(user: User) -> bool:
    """Whether this person must have a second factor."""
    wanted: str = settings.SECOND_FACTOR
    if wanted == "admins":
        return user.role == Role.ADMIN
    return wanted != "off"  # a word that means nothing means all


def has_one(user: User) -> bool:
    """Whether this person has set up a second factor."""
    return (
        App.objects.filter(user=user).exists()
        or Passkey.objects.filter(user=user).exists()
    )


def stands(session: SessionBase, user: User) -> bool:
    """Whether a session that names this user still counts, as the settings are now."""
    return PASSED in session or not required(user)


def enter(
    request: HttpRequest,
    user: User,
    *,
    how: str,
    after: str = "",
    strong: bool = False,
) -> bool:
    """Let somebody in who took the first step; False: the second one is to be taken.

    `how` is the word of the audit record: "password", "ldap", "oidc"; `strong` when who
    vouches for them has asked for a second factor already.
    """
    if not strong and (required(user) or has_one(user)):
        request.session.flush()
        request.session[_HALF] = {
            "user": user.pk,
            "hash": user.get_session_auth_hash(),
            "how": how,
            "after": after,
            "at": time.time(),
        }
        return False
    _let_in(request, user, how=how)
    if strong:
        request.session[PASSED] = time.time()
    return True


def who(request: HttpRequest) -> Half | None:
    """Who has taken the first step here, a short while ago, and may still come in."""
    kept = request.session.get(_HALF)
    if kept is None or not 0 <= time.time() - kept["at"] < _LASTS_S:
        return None
    user = User.objects.filter(pk=kept["user"], is_active=True).first()
    if user is None:
        return None
    if not constant_time_compare(kept["hash"], user.get_session_auth_hash()):
        return None
    return Half(user, kept["how"], kept["after"])


def complete(request: HttpRequest, half: Half, *, by: str) -> None:
    """Let in who has taken the second step, too: by "app", "passkey", "recovery"."""
    _let_in(request, half.user, how=f"{half.how}, {by}")
    request.session[PASSED] = time.time()


def forget(request: HttpRequest) -> None:
    """Back to the first step."""
    request.session.pop(_HALF, None)


def _let_in(request: HttpRequest, user: User, *, how: str) -> None:
    """A new session for this user."""
    request.session.pop(_HALF, None)
    auth.login(request, user, backend=BACKEND)
    address = str(getattr(request, "client_address", ""))
    agent = request.headers.get("User-Agent", "")
    store.note(request.session, address=address, agent=agent)
    request.session[CONFIRMED] = time.time()
    audit.record(
        "sign-in",
        actor=user,
        outcome="succeeded",
        address=address,
        details={"how": how},
    )
