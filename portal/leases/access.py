"""The gate of leases: a lease is as visible as its guest."""

from django.db.models import QuerySet

from guests import access as guests
from kvmweb.accounts.gate import Right, may, may_in, sees_all
from kvmweb.accounts.models import Project, User
from kvmweb.errors import Forbidden, NotFound
from portal.leases.models import Lease


def visible(user: User) -> QuerySet[Lease]:
    """The leases this person may see: of the guests they see."""
    rows = Lease.objects.select_related("project")
    if sees_all(user):
        return rows
    return rows.filter(guest__in=guests.visible(user).values("pk"))


def lease(user: User, lease_id: int) -> Lease:
    """This lease, for who may set its end.

    Raises NotFound when they may not even see it (so nobody can probe), else Forbidden.
    """
    found = visible(user).filter(pk=lease_id).first() if lease_id < 2**63 else None
    if found is None:
        there = lease_id < 2**63 and Lease.objects.filter(pk=lease_id).exists()
        hidden = f"lease:{lease_id}" if there else ""
        raise NotFound("There is no such lease.", hidden=hidden)
    if not decides(user, found.project_id):
        raise Forbidden("Only those who decide about requests set the end of a lease.")
    return found


def decides(user: User, project_id: int | None) -> bool:
    """Whether they may set ends there as they like, and need no rule."""
    if project_id is None or sees_all(user):
        return sees_all(user) and may(user, Right.DECIDE)
    return may_in(user, project_id, Right.DECIDE)


def project(user: User, project_id: int) -> Project:
    """This project, for who says what its members may do with leases. Raises NotFound."""
    found = Project.objects.filter(pk=project_id).first()
    if found is None or not may(user, Right.MANAGE_PROJECTS):
        raise NotFound("There is no such project.")
    return found
