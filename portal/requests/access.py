"""The gate of requests: the only way from a URL to one, and to a project to ask in."""

from django.db.models import Q, QuerySet

from kvmweb.accounts.gate import (
    Right,
    may_everywhere,
    may_in,
    need,
    roles_of,
)
from kvmweb.accounts.models import Project, User
from kvmweb.errors import Forbidden, NotFound
from portal.requests.models import ApprovalRule, Request

_NO_PROJECT = "There is no such project."


def visible(user: User) -> QuerySet[Request]:
    """The requests this person may see: their own, and those they may decide about."""
    rows = Request.objects.all()
    if may_everywhere(user, Right.DECIDE):
        return rows
    if user.within is not None:
        rows = rows.filter(project=user.within)
    return rows.filter(Q(requester=user) | Q(project__in=deciding_in(user)))


def deciding_in(user: User) -> list[int]:
    """The projects whose requests they decide about by being in them."""
    return [pk for pk in roles_of(user) if may_in(user, pk, Right.DECIDE)]


def decidable(user: User) -> QuerySet[Request]:
    """The requests this person may decide about, their own among them."""
    rows = Request.objects.all()
    if may_everywhere(user, Right.DECIDE):
        return rows
    return rows.filter(project__in=deciding_in(user))


def request(user: User, request_id: int) -> Request:
    """This request with its project, people, flavor and image, if they may see it.

    Raises NotFound, which tells a foreign one and an invented one alike.
    """
    rows = visible(user).select_related(
        "project", "requester", "decided_by", "flavor", "image"
    )
    known = 0 < request_id < 2**63
    found = rows.filter(pk=request_id).first() if known else None
    if found is None:
        there = known and Request.objects.filter(pk=request_id).exists()
        hidden = f"request:{request_id}" if there else ""
        raise NotFound("There is no such request.", hidden=hidden)
    return found


def to_decide(user: User, request_id: int) -> Request:
    """This request, if they may decide about it. Raises NotFound, Forbidden."""
    found = request(user, request_id)
    if not may_decide(user, found):
        raise Forbidden(
            f"Owners of {found.project}, operators and administrators decide about it."
        )
    return found


def to_change(user: User, request_id: int) -> Request:
    """This request, if it is theirs to change. Raises NotFound, Forbidden."""
    found = request(user, request_id)
    if not is_own(user, found):
        raise Forbidden(f"Only {found.author}, who asked for it, may change it.")
    return found


def to_retry(user: User, request_id: int) -> Request:
    """This request, if they asked for it or decide about it. Raises NotFound, Forbidden."""
    found = request(user, request_id)
    if not is_own(user, found) and not may_decide(user, found):
        raise Forbidden("Who asked for it, or who decides about it, may try it again.")
    return found


def may_decide(user: User, found: Request) -> bool:
    """Whether it is theirs to approve or reject, if it is not their own."""
    return may_in(user, found.project_id, Right.DECIDE)


def is_own(user: User, found: Request) -> bool:
    """Whether they asked for it."""
    return found.requester_id == user.pk


def sees(user: User, project: int, requester: str | None) -> bool:
    """Whether a request of this project and person is theirs to see. No query, mostly."""
    if user.within not in (None, project):
        return False
    return requester == user.username or may_in(user, project, Right.DECIDE)


def project(user: User, word: str) -> Project:
    """The project of this id or name, if they may ask for machines there.

    Raises NotFound for one they are not in, Forbidden where they only look on.
    """
    rows = Project.objects.all()
    number = int(word) if word.isascii() and word.isdecimal() and len(word) < 18 else 0
    found = rows.filter(pk=number).first() or rows.filter(name=word).first()
    if found is None or not may_in(user, found.pk, Right.SEE):
        raise NotFound(
            _NO_PROJECT, hidden=f"project:{found.pk}" if found is not None else ""
        )
    if not may_in(user, found.pk, Right.REQUEST):
        raise Forbidden(f"What you are in {found} does not allow asking for machines.")
    return found


def projects(user: User) -> QuerySet[Project]:
    """The projects they may ask for machines in."""
    if may_everywhere(user, Right.REQUEST):
        return Project.objects.all()
    theirs = [pk for pk in roles_of(user) if may_in(user, pk, Right.REQUEST)]
    return Project.objects.filter(pk__in=theirs)


def rule(user: User, rule_id: int) -> ApprovalRule:
    """This rule. Raises NotFound, Forbidden."""
    need(user, Right.MANAGE_PROJECTS)
    found = ApprovalRule.objects.filter(pk=rule_id).first() if rule_id < 2**63 else None
    if found is None:
        raise NotFound("There is no such rule.")
    return found
