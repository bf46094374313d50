"""Who hears of a project on a live page."""

from kvmweb.accounts.gate import Right
from kvmweb.accounts.models import User
from kvmweb.errors import NotFound
from kvmweb.live.topics import Filter, everything, topic
from portal.projects import access


@topic("project")
def project(user: User, ident: str | None) -> Filter:
    """That what a project takes up, or who is in it, has changed."""
    if not ident or not (ident.isascii() and ident.isdecimal() and len(ident) < 19):
        raise NotFound("There is no such project.")
    access.project(user, int(ident), Right.SEE)
    return everything
