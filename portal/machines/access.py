"""The gate of machines is that of guests; here is only which of them are one's own."""

from django.db.models import Q, QuerySet

from guests import access as guests
from guests.models import Guest
from kvmweb.accounts.gate import Right, roles_of
from kvmweb.accounts.models import Member, User
from kvmweb.errors import NotFound
from kvmweb.virt.types import DomainState


def mine(user: User) -> QuerySet[Guest]:
    """One's own guests and those of one's projects, also for those who see all guests."""
    theirs = Q(owner=user) | Q(project__in=roles_of(user))
    rows = guests.visible(user).filter(theirs)
    return rows.exclude(state=DomainState.GONE)


def may_hand_over(user: User, guest: Guest) -> bool:
    """Whether they may give it to a colleague: its owner, and who may delete it there."""
    if guest.project_id is None:
        return False
    own = guest.owner_id == user.pk and guests.may_on(user, guest, Right.OPERATE)
    return own or guests.may_on(user, guest, Right.DELETE)


def colleagues(guest: Guest) -> QuerySet[User]:
    """Who may own it: those in its project who may run machines there."""
    running = (Member.Role.OPERATOR, Member.Role.OWNER)
    members = Member.objects.filter(project=guest.project_id, role__in=running)
    rows = User.objects.filter(is_active=True, pk__in=members.values("user"))
    return rows.exclude(pk=guest.owner_id) if guest.owner_id else rows


def colleague(guest: Guest, username: str) -> User:
    """This one of them. Raises NotFound, whether or not there is such a person."""
    found = colleagues(guest).filter(username=username).first()
    if found is None:
        raise NotFound(f"{username[:64]} runs no machines in the project of {guest}.")
    return found
