"""What is to be set inside a guest, checked. Pure."""

import re
from collections.abc import Sequence

from guests.images.seed import CloudInit
from kvmweb.errors import Invalid

# Windows' users too; never what ends a field or a line, or looks like an option.
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_. @\\-]{0,63}")
_PASSWORD_MAX = 256
_PLAIN = re.compile(r"[^\x00-\x1f\x7f]+")


def need_user(user: str) -> str:
    """The name of a user of the guest. Raises Invalid."""
    if not _USER.fullmatch(user):
        sentence = "A user's name has up to 64 letters, digits, dots, dashes and _."
        raise Invalid(sentence, errors={"user": [sentence]})
    return user


def need_password(password: str) -> str:
    """A password that every agent can take. Raises Invalid."""
    if not _PLAIN.fullmatch(password) or len(password) > _PASSWORD_MAX:
        sentence = (
            f"A password is one line of text, at most {_PASSWORD_MAX} characters."
        )
        raise Invalid(sentence, errors={"password": [sentence]})
    return password


def need_keys(lines: Sequence[str]) -> list[str]:
    """Public ssh keys, one a line. Raises Invalid saying which is none."""
    keys = [line.strip() for line in lines if line.strip()]
    if not keys:
        sentence = "Paste at least one public key: “ssh-ed25519 AAAA… name”."
        raise Invalid(sentence, errors={"ssh_keys": [sentence]})
    CloudInit(hostname="checked", ssh_keys=tuple(keys)).check()
    return keys
