"""The gate of convoys: the only way from a URL to one."""

from uuid import UUID

from guests.draining.models import Convoy
from kvmweb.accounts.gate import Right, need
from kvmweb.accounts.models import User
from kvmweb.errors import NotFound
from kvmweb.operations import access
from kvmweb.operations.models import Operation


def convoy(user: User, pk: UUID, right: Right) -> tuple[Convoy, Operation]:
    """This convoy and its operation. Raises NotFound, else Forbidden."""
    operation = access.operation(user, pk)
    found = Convoy.objects.filter(pk=pk).first()
    if found is None:
        raise NotFound("There is no such operation that moves several guests.")
    need(user, right)
    return found, operation
