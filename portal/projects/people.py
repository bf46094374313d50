"""Who is in a project."""

from django.db.models import QuerySet

from kvmweb.accounts.models import Member, Project
from kvmweb.errors import NotFound


def members(project: Project) -> QuerySet[Member]:
    """Who is in it, by name. One query."""
    return project.members.select_related("user").order_by("user__username")


def member(project: Project, word: str) -> Member:
    """This member, by user name, or by the user's id. Raises NotFound."""
    rows = members(project)
    found = rows.filter(user__username=word).first()
    if found is None and word.isascii() and word.isdecimal() and len(word) < 19:
        found = rows.filter(user=int(word)).first()
    if found is None:
        raise NotFound(f"{word[:64]} is not in {project.name}.")
    return found
