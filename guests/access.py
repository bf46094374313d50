"""The gate: the only way from a URL to a guest."""

from uuid import UUID

from django.db.models import QuerySet

from guests.models import Guest
from kvmweb.accounts.gate import Right, may, need, sees_all
from kvmweb.accounts.models import User
from kvmweb.errors import Forbidden, NotFound


def visible(user: User) -> QuerySet[Guest]:
    """The guests this person may see: all, or those they own. Gone ones among them."""
    if not may(user, Right.SEE):
        return Guest.objects.none()
    everything = Guest.objects.all()
    return everything if sees_all(user) else everything.filter(owner=user)


def guest(user: User, uuid: UUID, right: Right) -> Guest:
    """This guest with its host and owner, if the user has this right on it.

    Raises NotFound when they may not even see it (so nobody can probe), else Forbidden.
    """
    rows = visible(user).select_related("host", "owner")
    found = rows.filter(pk=uuid).first()
    if found is None:
        there = Guest.objects.filter(pk=uuid).exists()
        hidden = f"guest:{uuid}" if there else ""
        raise NotFound("There is no such guest.", hidden=hidden)
    need(user, right)
    return found


def may_demo(user: User) -> bool:
    """Whether this person may make demo guests: those who run the fleet may."""
    return sees_all(user) and may(user, Right.OPERATE)


def need_demo(user: User) -> None:
    """Nothing, if they may. Raises Forbidden."""
    if not may_demo(user):
        raise Forbidden("Only those who run the fleet may make a demo guest.")
