"""Signing in and out: guessing is slow, and tells nothing.

A guess is counted in the database before the password is looked at, so a hundred at once
are a hundred. Unknown users cost the same time and get the same sentence.
"""

import math
import threading
import time
from datetime import timedelta
from ipaddress import IPv6Address, ip_address, ip_network

from django.contrib import auth
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from kvmweb.accounts import audit
from kvmweb.accounts.models import SignInFailure, User
from kvmweb.accounts.outside import ldap
from kvmweb.accounts.outside.queries import identities
from kvmweb.accounts.outside.services import arrived
from kvmweb.accounts.second import half
from kvmweb.accounts.second.half import CONFIRMED
from kvmweb.accounts.services import Asker, set_own_password
from kvmweb.errors import Conflict, Forbidden, Invalid, TooMany

FRESH_S = 15 * 60
WINDOW = timedelta(hours=1)  # what happened before that is forgiven
FREE_FOR_A_NAME, LONGEST_FOR_A_NAME_S = 5, 300
FREE_FOR_AN_ADDRESS, LONGEST_FOR_AN_ADDRESS_S = 20, 900
_HASHERS = threading.BoundedSemaphore(2)  # each hash takes 100 MiB for a moment
_QUEUE_S = 5


def sign_in(
    request: HttpRequest, username: str, password: str, address: str, *, after: str = ""
) -> bool:
    """Sign in with a new session; False: the second step is to be taken first.

    Raises Invalid for a wrong name or password, TooMany when it is too early to try.
    """
    username = username.strip().lower()[:150]
    attempt = count_attempt(username, address)
    user, how = _authenticated(request, username, password), "password"
    if user is None:
        user, how = _of_directory(username, password, address), "ldap"
    if user is None:
        audit.record_refusal(
            "sign-in", actor=username, outcome="failed", address=address
        )
        raise Invalid("The user name or the password is wrong.")
    forgive(attempt)
    return half.enter(request, user, how=how, after=after)


def is_fresh(request: HttpRequest) -> bool:
    """Whether who asks has shown their password a short while ago, in this session.

    A token needs none: whoever holds it was shown it once and keeps it safe.
    """
    if getattr(request, "token", None) is not None:
        return True
    age_s = time.time() - float(request.session.get(CONFIRMED, 0))
    return 0 <= age_s < FRESH_S


def confirm(request: HttpRequest, user: User, password: str, address: str) -> None:
    """Show one's password once more, for what needs it; good for FRESH_S.

    Raises Invalid when it is wrong, TooMany like `sign_in`.
    """
    attempt = count_attempt(user.username, address)
    if _shown(user, password, address) is None:
        audit.record_refusal(
            "sign-in.confirm", actor=user, outcome="failed", address=address
        )
        sentence = "This is not your password."
        raise Invalid(sentence, errors={"password": [sentence]})
    attempt.delete()
    confirmed(request, user, address)


def confirmed(request: HttpRequest, user: User, address: str) -> None:
    """They have shown once more who they are; good for FRESH_S."""
    request.session[CONFIRMED] = time.time()
    audit.record("sign-in.confirm", actor=user, outcome="succeeded", address=address)


def change_password(user: User, old: str, new: str, *, by: Asker) -> None:
    """One's own new password, for who knows the old one; other sessions end.

    Raises Invalid for a wrong old or a weak new one, TooMany like `sign_in`.
    """
    attempt = count_attempt(user.username, by.address)
    if _authenticated(None, user.username, old) is None:
        audit.record_refusal(
            "user.password",
            actor=user,
            target=f"user:{user.pk}",
            outcome="failed",
            address=by.address,
        )
        sentence = "This is not your password."
        raise Invalid(sentence, errors={"old": [sentence]})
    attempt.delete()
    set_own_password(user, new, by=by)


def sign_out(request: HttpRequest, by: Asker) -> None:
    """End this session."""
    audit.record("sign-out", actor=by.user, outcome="succeeded", address=by.address)
    auth.logout(request)


def forget_failures() -> None:
    """Drop failures that are too old to count."""
    before = timezone.now() - SignInFailure.KEPT
    SignInFailure.objects.filter(at__lt=before).delete()


def _authenticated(
    request: HttpRequest | None, username: str, password: str
) -> User | None:
    """The user with this name and password; never more than two at a time."""
    if not _HASHERS.acquire(timeout=_QUEUE_S):
        raise TooMany("Too many people sign in right now.", retry_after_s=_QUEUE_S)
    try:
        user = auth.authenticate(request, username=username, password=password)
    finally:
        _HASHERS.release()
    return user if isinstance(user, User) else None


def _shown(user: User, password: str, address: str) -> User | None:
    """This user, if it is their password, here or in the directory."""
    if user.has_usable_password():
        return _authenticated(None, user.username, password)
    label = identities(user).filter(provider=ldap.PROVIDER).first()
    if label is None:
        return None
    found = _of_directory(label.label, password, address)
    return found if found == user else None


def _of_directory(username: str, password: str, address: str) -> User | None:
    """Who has this name and password in the directory; None when nobody has.

    A name with a password of its own here is never asked for there: the directory need
    not learn it.
    """
    if not ldap.configured():
        return None
    here = User.objects.filter(username=username).first()
    if here is not None and here.has_usable_password():
        return None
    person = ldap.person(username, password)
    if person is None:
        return None
    try:
        return arrived(person, address=address)
    except (Forbidden, Conflict) as error:
        audit.record_refusal(
            "sign-in.ldap",
            actor=username,
            outcome="failed",
            address=address,
            details={"because": error.detail},
        )
        return None


def count_attempt(username: str, address: str) -> SignInFailure:
    """Count this attempt as a failure until it proves otherwise. Raises TooMany."""
    place = network(address)
    attempt = SignInFailure.objects.create(username=username, address=place)
    earlier = _failures().exclude(pk=attempt.pk)
    wait_s = max(
        _wait_s(
            earlier.filter(username=username), FREE_FOR_A_NAME, LONGEST_FOR_A_NAME_S
        ),
        _wait_s(
            earlier.filter(address=place),
            FREE_FOR_AN_ADDRESS,
            LONGEST_FOR_AN_ADDRESS_S,
        ),
    )
    if wait_s <= 0:
        return attempt
    attempt.delete()  # it was not tried, so it does not make the wait longer
    audit.record_refusal(
        "sign-in", actor=username, outcome="throttled", address=address
    )
    raise TooMany(
        f"Too many attempts to sign in. Try again in {wait_s} seconds.",
        retry_after_s=wait_s,
    )


def forgive(attempt: SignInFailure) -> None:
    """It was none: forget it, and the failures of this name from there before it."""
    same = _failures(address=attempt.address).filter(username=attempt.username)
    same.delete()


def _wait_s(failures: QuerySet[SignInFailure], free: int, longest_s: int) -> int:
    """Whole seconds until the next attempt: none for the first, then twice as long each."""
    times = list(failures.order_by("-at").values_list("at", flat=True)[: free + 10])
    over = len(times) - free
    if over < 0:
        return 0
    pause = timedelta(seconds=min(2**over, longest_s))
    return math.ceil((times[0] + pause - timezone.now()).total_seconds())


def _failures(**columns: str | None) -> QuerySet[SignInFailure]:
    since = timezone.now() - WINDOW
    return SignInFailure.objects.filter(at__gt=since, **columns)


def network(address: str) -> str | None:
    """Who counts as one: an IPv4 address, or the /64 that a person with IPv6 owns."""
    if not address:
        return None
    parsed = ip_address(address)
    if isinstance(parsed, IPv6Address):
        return str(ip_network(f"{address}/64", strict=False).network_address)
    return address
