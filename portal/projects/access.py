"""The gate of projects: the only way from a URL to one."""

from django.db.models import QuerySet

from kvmweb.accounts.gate import Right, may, may_everywhere, may_in, roles_of, sees_all
from kvmweb.accounts.models import Member, Project, User
from kvmweb.errors import Forbidden, NotFound


def visible(user: User) -> QuerySet[Project]:
    """The projects this person may see: all, or those they are in."""
    rows = Project.objects.all()
    return rows if sees_all(user) else rows.filter(pk__in=roles_of(user))


def project(user: User, project_id: int, right: Right) -> Project:
    """This project, if the user has this right in it.

    Raises NotFound when they are not in it (so nobody can probe), else Forbidden.
    """
    found = _seen(user, project_id)
    if right == Right.MANAGE_PROJECTS:
        allowed = may_everywhere(user, right)
    else:
        allowed = may_in(user, found.pk, right)
    if not allowed:
        raise Forbidden(_refusal(user, found))
    return found


def peopled(user: User, project_id: int) -> Project:
    """This project, for who may say who is in it. Raises NotFound, Forbidden."""
    found = _seen(user, project_id)
    if not may_people(user, found):
        raise Forbidden(
            f"Only an administrator or an owner of {found} says who is in it."
        )
    return found


def may_people(user: User, project: Project) -> bool:
    """Whether they may say who is in it: administrators and its owners."""
    if may(user, Right.MANAGE_PROJECTS):
        return True
    return roles_of(user).get(project.pk) == Member.Role.OWNER


def _seen(user: User, project_id: int) -> Project:
    rows = visible(user)
    found = rows.filter(pk=project_id).first() if 0 < project_id < 2**63 else None
    if found is None:
        there = (
            0 < project_id < 2**63 and Project.objects.filter(pk=project_id).exists()
        )
        hidden = f"project:{project_id}" if there else ""
        raise NotFound("There is no such project.", hidden=hidden)
    return found


def _refusal(user: User, project: Project) -> str:
    role = roles_of(user).get(project.pk)
    if role is None:
        return f"Your role ({user.role}) does not allow this."
    return f"In {project} you are {role}; that does not allow this."
