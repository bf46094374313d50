"""The gate of limits and of saved views."""

from django.db.models import Q, QuerySet

from guests.folders.models import FolderLimit, SavedView
from kvmweb.accounts.gate import Right, may, need
from kvmweb.accounts.models import User
from kvmweb.errors import Forbidden, NotFound


def limit(user: User, limit_id: int, right: Right) -> FolderLimit:
    """This folder's limit. Raises NotFound, Forbidden."""
    need(user, right)
    rows = FolderLimit.objects.all()
    found = rows.filter(pk=limit_id).first() if limit_id < 2**63 else None
    if found is None:
        raise NotFound("There is no such limit.")
    return found


def views(user: User) -> QuerySet[SavedView]:
    """The views this person may use: their own and the shared ones."""
    return SavedView.objects.filter(Q(owner=user) | Q(shared=True))


def view(user: User, view_id: int) -> SavedView:
    """This view, if they may use it. Raises NotFound."""
    rows = views(user).select_related("owner")
    found = rows.filter(pk=view_id).first() if view_id < 2**63 else None
    if found is None:
        raise NotFound("There is no such view.")
    return found


def may_change(user: User, view: SavedView) -> bool:
    """Whether they may change it: its owner may, and of shared ones who may share."""
    return view.owner_id == user.pk or may(user, Right.SHARE_VIEWS)


def need_change(user: User, view: SavedView) -> None:
    """Nothing, if they may. Raises Forbidden."""
    if not may_change(user, view):
        raise Forbidden(
            f"“{view.name}” belongs to somebody else: keep one of your own."
        )
