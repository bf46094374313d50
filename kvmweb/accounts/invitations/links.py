"""The links in letters: signed, made of a letter's row, good for nothing once it is used.

A link for a new password is signed with what a new password changes, so that every one
of them ends with the old password.
"""

from uuid import UUID

from django.core.signing import BadSignature, Signer
from django.db.models import QuerySet
from django.utils import timezone

from kvmweb.accounts.invitations.models import Letter
from kvmweb.errors import NotFound

_SALT = "kvmweb.accounts.invitations"
GONE = "This link is not valid: it was used, or is too old."


def link_of(letter: Letter) -> str:
    """The word in the link of this letter."""
    return _signer(letter).sign(letter.pk.hex).replace(":", ".")


def opened(link: str, kind: Letter.Kind) -> Letter:
    """The letter whose link this is, if it is still good. Raises NotFound."""
    name, _, _ = link.partition(".")
    letter = None
    if len(name) == 32 and all(it in "0123456789abcdef" for it in name):
        letter = open_letters(kind).filter(pk=UUID(name)).first()
    if letter is None:
        raise NotFound(GONE)
    try:
        _signer(letter).unsign(link.replace(".", ":", 1))
    except BadSignature as error:
        raise NotFound(GONE) from error
    return letter


def open_letters(kind: Letter.Kind) -> QuerySet[Letter]:
    """Letters of this kind whose links are good."""
    rows = Letter.objects.filter(kind=kind, used_at=None, expires_at__gt=timezone.now())
    return rows.select_related("user", "by", "project")


def take(letter: Letter) -> None:
    """Use its link, before anybody else does. Raises NotFound."""
    unused = Letter.objects.filter(pk=letter.pk, used_at=None)
    if not unused.update(used_at=timezone.now(), due_at=None):
        raise NotFound(GONE)


def _signer(letter: Letter) -> Signer:
    bound = letter.user.get_session_auth_hash() if letter.user else ""
    return Signer(salt=f"{_SALT}:{letter.kind}:{bound}")
