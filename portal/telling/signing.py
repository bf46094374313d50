"""Signatures of webhooks, as the Standard Webhooks specification has them.

Signed is `id.timestamp.body` with HMAC-SHA256; the key is what stands behind `whsec_`,
in Base64.
"""

import base64
import hashlib
import hmac
import secrets

_PREFIX = "whsec_"
_BYTES = 32


def new_secret() -> str:
    """A fresh key, as text for people."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


def headers(secret: str, ident: str, timestamp: int, body: bytes) -> dict[str, str]:
    """What a call carries beside its body."""
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    signed = f"{ident}.{timestamp}.".encode() + body
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return {
        "webhook-id": ident,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }
