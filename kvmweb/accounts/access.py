"""The gate to one row: a person, a token of one's own."""

from kvmweb.accounts.gate import Right, need
from kvmweb.accounts.models import Token, User
from kvmweb.errors import NotFound


def person(by: User, user_id: int) -> User:
    """This person, for who may manage people. Raises NotFound or Forbidden."""
    need(by, Right.MANAGE_USERS)
    found = User.objects.filter(pk=user_id).first()
    if found is None:
        raise NotFound("There is no such user.")
    return found


def token(by: User, token_id: int) -> Token:
    """This token, if it is theirs and was not revoked. Raises NotFound."""
    found = Token.objects.filter(pk=token_id, revoked_at=None).first()
    if found is None or found.user_id != by.pk:
        hidden = f"token:{token_id}" if found else ""
        raise NotFound("There is no such token.", hidden=hidden)
    return found
