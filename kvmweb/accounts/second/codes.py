"""Codes of apps and recovery codes: made, shown, taken once."""

import secrets
import time
from dataclasses import dataclass, field

import pyotp
import segno
from cryptography.fernet import InvalidToken
from django.utils import timezone
from django.utils.crypto import salted_hmac

from kvmweb import vault
from kvmweb.accounts.models import User
from kvmweb.accounts.second.models import App, RecoveryCode

ISSUER = "kvmweb"
RECOVERY_CODES = 10
_STEP_S = 30
_DRIFT = 1  # a clock may be one step off
_PURPOSE = "accounts.second"
_OFFER_S = 15 * 60
_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"  # none that look alike


@dataclass(frozen=True, slots=True)
class Offer:
    """A secret that an app may take: as a picture, as text, and sealed for the form."""

    picture: str
    secret: str = field(repr=False)
    sealed: str = field(repr=False)


def offer(user: User, sealed: str = "") -> Offer:
    """A new secret for this person, or again the one that was offered before."""
    secret = _offered(user, sealed) or pyotp.random_base32()
    uri = pyotp.TOTP(secret).provisioning_uri(name=user.username, issuer_name=ISSUER)
    picture = segno.make(uri, error="m").svg_data_uri(scale=5, border=2, light="white")
    kept = vault.cipher(_PURPOSE).encrypt(f"{user.pk}:{secret}".encode()).decode()
    return Offer(picture, secret, kept)


def accept(user: User, sealed: str, code: str) -> App | None:
    """The app with the secret of this offer, saved, if it shows the right code."""
    secret = _offered(user, sealed)
    step = _step_of(secret, code) if secret else 0
    if not step:
        return None
    kept = {"sealed": vault.seal(secret, _PURPOSE), "last_step": step}
    app, _ = App.objects.update_or_create(user=user, defaults=kept)
    return app


def take(user: User, code: str) -> bool:
    """Whether their app shows this code now; it is good only this once."""
    app = App.objects.filter(user=user).first()
    if app is None:
        return False
    step = _step_of(vault.opened(app.sealed, _PURPOSE), code)
    unused = App.objects.filter(pk=app.pk, last_step__lt=step)
    return bool(step) and unused.update(last_step=step) == 1


def new_recovery(user: User) -> list[str]:
    """Ten new recovery codes; the old ones are good no more. Only hashes are kept."""
    texts = ["-".join(_word() for _ in range(4)) for _ in range(RECOVERY_CODES)]
    RecoveryCode.objects.filter(user=user).delete()
    RecoveryCode.objects.bulk_create(
        RecoveryCode(user=user, digest=_digest(user, text)) for text in texts
    )
    return texts


def take_recovery(user: User, text: str) -> bool:
    """Whether this is one of their recovery codes; it is good only this once."""
    unused = RecoveryCode.objects.filter(
        user=user, digest=_digest(user, text), used_at=None
    )
    return unused.update(used_at=timezone.now()) == 1


def _offered(user: User, sealed: str) -> str:
    """The secret of an offer to this person; "" when it is none, or too old."""
    try:
        text = vault.cipher(_PURPOSE).decrypt(sealed.encode(), ttl=_OFFER_S).decode()
    except InvalidToken:
        return ""
    owner, _, secret = text.partition(":")
    return secret if owner == str(user.pk) else ""


def _step_of(secret: str, code: str) -> int:
    """The half minute this code belongs to, near now; 0 when it belongs to none."""
    code = "".join(code.split())
    totp, now = pyotp.TOTP(secret), int(time.time()) // _STEP_S
    steps = range(now - _DRIFT, now + _DRIFT + 1)
    right = (it for it in steps if secrets.compare_digest(totp.at(it * _STEP_S), code))
    return next(right, 0) if code.isascii() else 0


def _word() -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(4))


def _digest(user: User, text: str) -> str:
    plain = "".join(it for it in text.lower() if it.isalnum())
    return salted_hmac(
        "kvmweb.accounts.second", f"{user.pk}:{plain}", algorithm="sha256"
    ).hexdigest()
