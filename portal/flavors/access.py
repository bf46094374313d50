"""The gate of flavors: the only way from a URL to one."""

from django.db.models import QuerySet

from kvmweb.accounts.gate import Right, may, need, sees_all
from kvmweb.accounts.models import User
from kvmweb.errors import NotFound
from portal.flavors.models import Flavor
from portal.projects import scopes


def visible(user: User) -> QuerySet[Flavor]:
    """The flavors this person may see: all, or those they can ask for somewhere.

    One that no project's scope names is for everybody.
    """
    rows = Flavor.objects.all()
    if sees_all(user) or may(user, Right.MANAGE_PROJECTS):
        return rows
    return rows.filter(active=True).exclude(pk__in=scopes.elsewhere(user, "flavors"))


def flavor(user: User, flavor_id: int, right: Right) -> Flavor:
    """This flavor, if the user has this right on it.

    Raises NotFound when they may not even see it, else Forbidden.
    """
    rows = visible(user)
    found = rows.filter(pk=flavor_id).first() if 0 < flavor_id < 2**63 else None
    if found is None:
        raise NotFound("There is no such flavor.")
    need(user, right)
    return found
