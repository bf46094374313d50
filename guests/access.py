"""The gate: the only way from a URL to a guest."""

from uuid import UUID

from django.db.models import Q, QuerySet

from guests.models import Guest
from kvmweb.accounts.gate import (
    Right,
    may,
    may_in,
    may_own,
    need,
    roles_of,
    sees_all,
)
from kvmweb.accounts.models import User
from kvmweb.errors import Forbidden, NotFound


def visible(user: User) -> QuerySet[Guest]:
    """The guests this person may see: all, or their own and their projects'.

    Gone ones among them. What is in a project is its members', whoever owns it.
    """
    if not may(user, Right.SEE):
        return Guest.objects.none()
    everything = Guest.objects.all()
    if sees_all(user):
        return everything
    theirs = Q(project__in=roles_of(user))
    if user.within is None:
        theirs |= Q(project=None, owner=user)
    return everything.filter(theirs)


def guest(user: User, uuid: UUID, right: Right) -> Guest:
    """This guest with its host, owner and project, if the user has this right on it.

    Raises NotFound when they may not even see it (so nobody can probe), else Forbidden.
    """
    rows = visible(user).select_related("host", "owner", "project")
    found = rows.filter(pk=uuid).first()
    if found is None:
        there = Guest.objects.filter(pk=uuid).exists()
        hidden = f"guest:{uuid}" if there else ""
        raise NotFound("There is no such guest.", hidden=hidden)
    need_on(user, found, right)
    return found


def may_on(user: User, guest: Guest, right: Right) -> bool:
    """Whether they have this right on this guest, which they see."""
    if sees_all(user):
        return may(user, right)
    if guest.project_id is None:
        return may_own(right)
    return may_in(user, guest.project_id, right, own=guest.owner_id == user.pk)


def need_on(user: User, guest: Guest, right: Right) -> None:
    """Nothing, if they have this right on it. Raises NotKnown, Forbidden."""
    need(user, right)
    if not may_on(user, guest, right):
        where = f" in {guest.project}" if guest.project else ""
        raise Forbidden(f"What you are{where} does not allow this on {guest.name}.")


def sees(user: User, project: int | None, owner: str | None) -> bool:
    """Whether a guest of this project and owner is theirs to see. No query, mostly."""
    if sees_all(user):
        return True
    if project is None:
        return user.within is None and owner == user.username
    return project in roles_of(user)


def may_demo(user: User) -> bool:
    """Whether this person may make demo guests: those who run the fleet may."""
    return sees_all(user) and may(user, Right.OPERATE)


def need_demo(user: User) -> None:
    """Nothing, if they may. Raises Forbidden."""
    if not may_demo(user):
        raise Forbidden("Only those who run the fleet may make a demo guest.")
