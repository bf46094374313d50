"""What can be asked about second factors: take the step, set one up, remove one."""

from django.db import transaction
from django.http import HttpRequest

from kvmweb.accounts import audit, signin
from kvmweb.accounts.models import User
from kvmweb.accounts.second import codes, half
from kvmweb.accounts.second.half import Half
from kvmweb.accounts.second.models import App, Passkey, RecoveryCode
from kvmweb.accounts.services import Asker
from kvmweb.accounts.sessions import services as sessions
from kvmweb.errors import Conflict, Invalid

WRONG = "This code is wrong, or was used already."


def take_code(request: HttpRequest, found: Half, code: str, address: str) -> None:
    """Take the second step with an app's code, or a recovery code.

    Raises Invalid when it is neither, TooMany when it is too early to try.
    """
    attempt = signin.count_attempt(throttled(found.user), address)
    digits = code.replace(" ", "").isdigit()
    took = codes.take if digits else codes.take_recovery
    if not took(found.user, code):
        refused(found.user, address, "code")
        raise Invalid(WRONG, errors={"code": [WRONG]})
    signin.forgive(attempt)
    half.complete(request, found, by="app" if digits else "recovery code")


def set_up_app(user: User, sealed: str, code: str, *, by: Asker) -> list[str]:
    """Keep the app whose secret was offered; recovery codes, if it is the first factor.

    Raises Invalid when the app does not show the right code, TooMany like `take_code`.
    """
    attempt = signin.count_attempt(throttled(user), by.address)
    with transaction.atomic():
        first = not half.has_one(user)
        if codes.accept(user, sealed, code) is None:
            sentence = "This is not the code the app shows now."
            raise Invalid(sentence, errors={"code": [sentence]})
        signin.forgive(attempt)
        _record("second.app.add", user, by)
        return codes.new_recovery(user) if first else []


def remove_app(user: User, *, by: Asker) -> None:
    """No codes of an app any more. Raises Conflict for the last factor one must have."""
    with transaction.atomic():
        found = App.objects.filter(user=user)
        _need_another(user, without=found.count())
        if found.delete()[0]:
            _record("second.app.remove", user, by)
        _tidy(user)


def remove_passkey(passkey: Passkey, *, by: Asker) -> None:
    """This key opens nothing any more. Raises Conflict like `remove_app`."""
    user = passkey.user
    with transaction.atomic():
        _need_another(user, without=1)
        passkey.delete()
        _record("second.passkey.remove", user, by, name=passkey.name)
        _tidy(user)


def new_recovery(user: User, *, by: Asker) -> list[str]:
    """New recovery codes instead of the old ones. Raises Conflict without a factor."""
    if not half.has_one(user):
        raise Conflict("Recovery codes go with an app or a passkey: set one up first.")
    with transaction.atomic():
        _record("second.recovery", user, by)
        return codes.new_recovery(user)


def reset(user: User, *, by: Asker) -> None:
    """Take away every factor of somebody who lost theirs; their sessions end."""
    with transaction.atomic():
        for rows in (App.objects, Passkey.objects, RecoveryCode.objects):
            rows.filter(user=user).delete()
        sessions.end_all(user, by=by)
        _record("second.reset", user, by)


def throttled(user: User) -> str:
    """The name under which wrong second steps are counted: no user name looks so."""
    return f"SECOND:{user.username}"


def refused(user: User, address: str, what: str) -> None:
    """Write down that a second step was wrong."""
    audit.record_refusal(
        "sign-in.second",
        actor=user,
        target=f"user:{user.pk}",
        outcome="failed",
        address=address,
        details={"with": what},
    )


def _need_another(user: User, *, without: int) -> None:
    """Nothing, if enough stays. Raises Conflict."""
    there = Passkey.objects.filter(user=user).count()
    there += App.objects.filter(user=user).count()
    if half.required(user) and there <= without:
        raise Conflict(
            "Your role needs a second factor, and this is your last one.",
            hint="Set up another one first.",
        )


def _tidy(user: User) -> None:
    """Without any factor recovery codes mean nothing."""
    if not half.has_one(user):
        RecoveryCode.objects.filter(user=user).delete()


def _record(action: str, user: User, by: Asker, **details: object) -> None:
    audit.record(
        action,
        actor=by.user,
        target=f"user:{user.pk}",
        outcome="succeeded",
        address=by.address,
        details={"username": user.username, **details},
    )
