"""The scopes of projects, as they are kept."""

from collections.abc import Iterable
from dataclasses import fields

from kvmweb.accounts.gate import roles_of
from kvmweb.accounts.models import Project, User
from portal.projects.models import ProjectScope
from portal.projects.scope import ANYTHING, Scope

__all__ = ["ANYTHING", "elsewhere", "every", "keep", "of"]


def every(projects: Iterable[int] | None = None) -> dict[int, Scope]:
    """By the id of the project; those that may use anything can be missing. One query."""
    rows = ProjectScope.objects.all()
    if projects is not None:
        rows = rows.filter(pk__in=list(projects))
    return {row.pk: _value(row) for row in rows}


def of(project_id: int) -> Scope:
    """What this project may use. One query."""
    return every([project_id]).get(project_id, ANYTHING)


def keep(project: Project, scope: Scope) -> None:
    """From now on it may use this; what it has already stays."""
    ProjectScope.objects.update_or_create(project=project, defaults=scope.told())


def elsewhere(user: User, part: str) -> set[int]:
    """Ids of images or flavors that scopes name, and no project of theirs may use."""
    scopes = every()
    named: set[int] = {it for scope in scopes.values() for it in getattr(scope, part)}
    for project_id in roles_of(user):
        mine = getattr(scopes.get(project_id, ANYTHING), part)
        named -= mine or named
    return named


def _value(row: ProjectScope) -> Scope:
    return Scope(
        **{each.name: frozenset(getattr(row, each.name)) for each in fields(Scope)}
    )
