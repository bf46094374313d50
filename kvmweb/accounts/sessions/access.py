"""The gate to one session: one's own."""

from uuid import UUID

from kvmweb.accounts.models import User
from kvmweb.accounts.sessions.models import Visit
from kvmweb.errors import NotFound


def visit(by: User, handle: UUID) -> Visit:
    """This session, if it is theirs. Raises NotFound."""
    found = Visit.objects.filter(handle=handle).first()
    if found is None or found.user_id != by.pk:
        hidden = f"session:{handle}" if found else ""
        raise NotFound("There is no such session.", hidden=hidden)
    return found
