"""The API of projects and of who is in them."""

from typing import Any

from ninja import Query, Router
from ninja.responses import Status

from kvmweb import doors
from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.models import Project
from kvmweb.accounts.requests import UserRequest
from kvmweb.accounts.services import Asker
from portal.projects import access, people, queries, services
from portal.projects.schemas import (
    MemberIn,
    MemberOut,
    ProjectIn,
    ProjectOut,
    ProjectPatch,
    RolePatch,
    member_json,
    project_json,
)

router = Router(tags=["projects"])
_MEMBERS = {"user": "user__username", "role": "role", "since": "since"}


@router.get("", response=doors.Page[ProjectOut], url_name="projects")
@door(Right.SIGNED_IN)
def listing(request: UserRequest, query: Query[doors.PageQuery]) -> dict[str, Any]:
    """The projects one is in; who runs the fleet sees all."""
    rows = queries.listing(request.user, query.search)
    page = doors.paged(rows, query, ordering=queries.ORDERINGS)
    known = queries.known(page["items"], request.user)
    return page | {"items": [project_json(each, request.user) for each in known]}


@router.post("", response={201: ProjectOut}, url_name="projects")
@door(Right.MANAGE_PROJECTS)
def add(request: UserRequest, body: ProjectIn) -> Status[dict[str, Any]]:
    """Make a project; what its quota does not name has no limit."""
    project = services.add(body.wish(), by=_asker(request))
    return Status(201, _told(request, project))


@router.get("{int:project_id}/", response=ProjectOut, url_name="project")
@door(Right.SIGNED_IN)
def detail(request: UserRequest, project_id: int) -> dict[str, Any]:
    """One project: quota, what is used, reserved and left, and who is in it."""
    return _told(request, access.project(request.user, project_id, Right.SEE))


@router.patch("{int:project_id}/", response=ProjectOut, url_name="project")
@door(Right.SIGNED_IN)
def edit(request: UserRequest, project_id: int, body: ProjectPatch) -> dict[str, Any]:
    """Change its name, quota or scope; its owners may change only who is in it."""
    wish = body.wish()
    if body.model_fields_set == {"members"}:
        project = access.peopled(request.user, project_id)
    else:
        project = access.project(request.user, project_id, Right.MANAGE_PROJECTS)
    return _told(request, services.edit(project, wish, by=_asker(request)))


@router.delete("{int:project_id}/", response={204: None}, url_name="project")
@door(Right.SIGNED_IN)
def delete(request: UserRequest, project_id: int) -> Status[None]:
    """End it; refused while it has guests, or requests that are not decided."""
    project = access.project(request.user, project_id, Right.MANAGE_PROJECTS)
    services.delete(project, by=_asker(request))
    return Status(204, None)


@router.get(
    "{int:project_id}/members/",
    response=doors.Page[MemberOut],
    url_name="project-members",
)
@door(Right.SIGNED_IN)
def members(
    request: UserRequest, project_id: int, query: Query[doors.PageQuery]
) -> dict[str, Any]:
    """Who is in it, and as what."""
    project = access.project(request.user, project_id, Right.SEE)
    page = doors.paged(
        people.members(project),
        query,
        ordering=_MEMBERS,
        search=("user__username", "user__name"),
    )
    return page | {"items": [member_json(each) for each in page["items"]]}


@router.post(
    "{int:project_id}/members/", response={201: MemberOut}, url_name="project-members"
)
@door(Right.SIGNED_IN)
def set_member(
    request: UserRequest, project_id: int, body: MemberIn
) -> Status[dict[str, Any]]:
    """Let somebody in, or make them something else in it."""
    project = access.peopled(request.user, project_id)
    member = services.set_member(project, body.user, body.role, by=_asker(request))
    return Status(201, member_json(member))


@router.put(
    "{int:project_id}/members/",
    response=list[MemberOut],
    url_name="project-members",
)
@door(Right.SIGNED_IN)
def set_members(
    request: UserRequest, project_id: int, body: list[MemberIn]
) -> list[dict[str, Any]]:
    """These are in it, and nobody else."""
    project = access.peopled(request.user, project_id)
    seats = [each.seat() for each in body]
    services.set_members(project, seats, by=_asker(request))
    return [member_json(each) for each in people.members(project)]


@router.get(
    "{int:project_id}/members/{username}/",
    response=MemberOut,
    url_name="project-member",
)
@door(Right.SIGNED_IN)
def member(request: UserRequest, project_id: int, username: str) -> dict[str, Any]:
    """One of them, by name or id."""
    project = access.project(request.user, project_id, Right.SEE)
    return member_json(people.member(project, username))


@router.patch(
    "{int:project_id}/members/{username}/",
    response=MemberOut,
    url_name="project-member",
)
@door(Right.SIGNED_IN)
def edit_member(
    request: UserRequest, project_id: int, username: str, body: RolePatch
) -> dict[str, Any]:
    """Make them something else in it."""
    project = access.peopled(request.user, project_id)
    found = people.member(project, username)
    by = _asker(request)
    return member_json(
        services.set_member(project, found.user.username, body.role, by=by)
    )


@router.delete(
    "{int:project_id}/members/{username}/",
    response={204: None},
    url_name="project-member",
)
@door(Right.SIGNED_IN)
def remove_member(request: UserRequest, project_id: int, username: str) -> Status[None]:
    """They are not in it any more."""
    project = access.peopled(request.user, project_id)
    found = people.member(project, username)
    services.remove_member(project, found, by=_asker(request))
    return Status(204, None)


def _told(request: UserRequest, project: Project) -> dict[str, Any]:
    (known,) = queries.known([queries.one(project)], request.user)
    return project_json(known, request.user)


def _asker(request: UserRequest) -> Asker:
    return Asker(request.user, request.client_address)
