"""Secrets at rest, encrypted; the key lies beside the database, not in it."""

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings

from kvmweb.errors import Unavailable


def cipher(purpose: str) -> Fernet:
    """What seals and opens the secrets of one purpose; others' open nothing of it."""
    digest = hashlib.sha256(f"{purpose}:{settings.SECRETS_KEY}".encode()).digest()
    return Fernet(base64.urlsafe_b64encode(digest))


def seal(text: str, purpose: str) -> str:
    """A secret as text that only the key opens."""
    return cipher(purpose).encrypt(text.encode()).decode()


def opened(sealed: str, purpose: str) -> str:
    """What `seal` sealed. Raises Unavailable when the key is another one."""
    try:
        return cipher(purpose).decrypt(sealed.encode()).decode()
    except InvalidToken as error:
        raise Unavailable(
            "A secret was encrypted with another key.",
            hint="Put the secrets.key it was made with back, or enter it again.",
        ) from error
