"""May this person? The only way from a URL to an operation."""

from uuid import UUID

from kvmweb.accounts import gate
from kvmweb.accounts.models import User
from kvmweb.errors import Forbidden, NotFound
from kvmweb.operations import queries
from kvmweb.operations.models import Operation


def operation(user: User, pk: UUID) -> Operation:
    """This operation, if they may see it. Raises NotFound, which tells nobody apart."""
    found = queries.visible(user).filter(pk=pk).first()
    if found is None:
        there = Operation.objects.filter(pk=pk).exists()
        hidden = f"operation:{pk}" if there else ""
        raise NotFound("There is no such operation.", hidden=hidden)
    return found


def to_cancel(user: User, pk: UUID) -> Operation:
    """This operation, if they may stop it: who asked for it, and who operates the fleet.

    Raises NotFound, or Forbidden when they may only see it.
    """
    found = operation(user, pk)
    if found.requested_by_id != user.pk and not gate.sees_all(user):
        asked = found.author or "kvmweb itself"
        raise Forbidden(
            f"Only {asked}, who asked for it, or an operator may cancel it."
        )
    return found


def may_cancel(user: User, found: Operation) -> bool:
    """Whether `to_cancel` would give it to them."""
    return found.requested_by_id == user.pk or gate.sees_all(user)
