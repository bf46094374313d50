"""The gate to one invitation: for who may manage people."""

from uuid import UUID

from kvmweb.accounts.gate import Right, need
from kvmweb.accounts.invitations import links
from kvmweb.accounts.invitations.models import Letter
from kvmweb.accounts.models import User
from kvmweb.errors import NotFound


def invitation(by: User, pk: UUID) -> Letter:
    """This invitation, if it is open. Raises NotFound or Forbidden."""
    need(by, Right.MANAGE_USERS)
    found = links.open_letters(Letter.Kind.INVITATION).filter(pk=pk).first()
    if found is None:
        raise NotFound("There is no such invitation.")
    return found
