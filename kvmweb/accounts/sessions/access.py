"""The gate to one session: one's own; to who manages people, anybody's."""

from uuid import UUID

from kvmweb.accounts.gate import Right, may
from kvmweb.accounts.models import User
from kvmweb.accounts.sessions.models import Visit
from kvmweb.errors import NotFound


def visit(by: User, handle: UUID) -> Visit:
    """This session, if they may end it. Raises NotFound."""
    rows = Visit.objects.exclude(user=None).select_related("user")
    found = rows.filter(handle=handle).first()
    if found is None or not (found.user_id == by.pk or may(by, Right.MANAGE_USERS)):
        hidden = f"session:{handle}" if found else ""
        raise NotFound("There is no such session.", hidden=hidden)
    return found
