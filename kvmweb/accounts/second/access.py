"""The gate to one passkey: one's own."""

from kvmweb.accounts.models import User
from kvmweb.accounts.second.models import Passkey
from kvmweb.errors import NotFound


def passkey(by: User, pk: int) -> Passkey:
    """This passkey, if it is theirs. Raises NotFound."""
    found = Passkey.objects.filter(pk=pk).first()
    if found is None or found.user_id != by.pk:
        hidden = f"passkey:{pk}" if found else ""
        raise NotFound("There is no such passkey.", hidden=hidden)
    return found
