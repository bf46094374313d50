"""The gate to one link to an outside account: one's own."""

from kvmweb.accounts.models import User
from kvmweb.accounts.outside.models import ExternalIdentity
from kvmweb.errors import NotFound


def identity(by: User, pk: int) -> ExternalIdentity:
    """This link, if it is theirs. Raises NotFound."""
    found = ExternalIdentity.objects.select_related("user").filter(pk=pk).first()
    if found is None or found.user_id != by.pk:
        hidden = f"identity:{pk}" if found else ""
        raise NotFound("There is no such linked account.", hidden=hidden)
    return found
