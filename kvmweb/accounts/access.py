"""The gate to one row: a person, a token of one's own."""

from django.db.models import QuerySet

from kvmweb.accounts.gate import Right, may, need, roles_of, sees_all
from kvmweb.accounts.models import Project, Token, User
from kvmweb.errors import NotFound


def person(by: User, user_id: int) -> User:
    """This person, for who may manage people. Raises NotFound or Forbidden."""
    need(by, Right.MANAGE_USERS)
    found = User.objects.filter(pk=user_id).first()
    if found is None:
        raise NotFound("There is no such user.")
    return found


def token(by: User, token_id: int) -> Token:
    """This token, if they may revoke it and nobody did. Raises NotFound."""
    rows = Token.objects.filter(pk=token_id, revoked_at=None).select_related("user")
    found = rows.first()
    if found is None or not _may_revoke(by, found):
        hidden = f"token:{token_id}" if found else ""
        raise NotFound("There is no such token.", hidden=hidden)
    return found


def projects(by: User) -> QuerySet[Project]:
    """The projects that a token of theirs can be for, by name."""
    rows = Project.objects.all()
    return rows if sees_all(by) else rows.filter(pk__in=roles_of(by))


def project(by: User, project_id: int) -> Project:
    """This project, for a token of theirs. Raises NotFound."""
    found = projects(by).filter(pk=project_id).first()
    if found is None:
        raise NotFound("There is no such project.")
    return found


def _may_revoke(by: User, token: Token) -> bool:
    """Whether it is theirs, or they manage people.

    Who came with a token for one project reaches their own ones for it, and no others.
    """
    if by.within is not None:
        return token.user_id == by.pk and token.project_id == by.within
    return token.user_id == by.pk or may(by, Right.MANAGE_USERS)
