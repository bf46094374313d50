"""The gate of kept keys: everybody's are their own."""

from kvmweb.accounts.models import User
from kvmweb.errors import NotFound
from portal.keys.models import SshKey


def key(user: User, key_id: int) -> SshKey:
    """This key, if it is theirs. Raises NotFound."""
    known = 0 < key_id < 2**63
    found = SshKey.objects.filter(pk=key_id).first() if known else None
    if found is None or found.user_id != user.pk:
        hidden = f"ssh-key:{key_id}" if found else ""
        raise NotFound("There is no such key.", hidden=hidden)
    return found
