"""Pages of projects."""

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from guests import access as guest_access
from guests import services as guests
from guests.edits import Edit
from kvmweb.accounts.gate import Right, door, may_everywhere, may_in
from kvmweb.accounts.models import Project
from kvmweb.accounts.requests import UserRequest
from kvmweb.accounts.services import Asker
from kvmweb.errors import AppError
from portal.projects import access, people, queries, services
from portal.projects.forms import DeleteForm, GuestForm, MemberForm, ProjectForm
from portal.projects.offers import offers

PAGE = 48
form_page = require_http_methods(["GET", "HEAD", "POST"])


@require_safe
@door(Right.SIGNED_IN)
def listing(request: UserRequest) -> HttpResponse:
    """The projects one is in; who runs the fleet sees all."""
    search = request.GET.get("search", "").replace("\0", "")[:200]
    rows = queries.listing(request.user, search)
    page = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    known = queries.known(page.object_list, request.user)
    context = {"page": page, "known": known, "filters": {"search": search}}
    return render(request, "portal/projects/list.html", context)


@require_safe
@door(Right.SIGNED_IN)
def detail(request: UserRequest, project_id: int) -> HttpResponse:
    """One project: what it may take up and does, who is in it, what it may use."""
    project = access.project(request.user, project_id, Right.SEE)
    return _page(request, project)


@form_page
@door(Right.MANAGE_PROJECTS)
def new(request: UserRequest) -> HttpResponse:
    """Make a project."""
    form = ProjectForm(offers(), request.POST or None)
    if form.is_valid():
        try:
            project = services.add(form.wish(), by=_asker(request))
        except AppError as error:
            form.tell(error)
        else:
            messages.success(request, f"{project} is there; let people in now.")
            return redirect("project", project.pk)
    return _form(request, form, None)


@form_page
@door(Right.SIGNED_IN)
def edit(request: UserRequest, project_id: int) -> HttpResponse:
    """Its name, quota and scope."""
    project = access.project(request.user, project_id, Right.MANAGE_PROJECTS)
    (known,) = queries.known([queries.one(project)], request.user)
    form = ProjectForm(offers(known.scope), request.POST or None, known)
    if form.is_valid():
        try:
            services.edit(project, form.wish(), by=_asker(request))
        except AppError as error:
            form.tell(error)
        else:
            messages.success(request, "Saved.")
            return redirect("project", project.pk)
    return _form(request, form, known.project)


@form_page
@door(Right.SIGNED_IN)
def delete(request: UserRequest, project_id: int) -> HttpResponse:
    """End it, where nothing is in it any more."""
    project = access.project(request.user, project_id, Right.MANAGE_PROJECTS)
    name = project.name
    form = DeleteForm(project, request.POST or None)
    if form.is_valid():
        try:
            services.delete(project, by=_asker(request))
        except AppError as error:
            form.tell(error)
        else:
            messages.success(request, f"The project {name} is ended.")
            return redirect("projects")
    takings = queries.takings(project)
    context = {"form": form, "project": project, "takings": takings}
    status = 422 if form.errors else 200
    return render(request, "portal/projects/delete.html", context, status=status)


@require_POST
@door(Right.SIGNED_IN)
def give(request: UserRequest, project_id: int) -> HttpResponse:
    """A guest that is in no project is this one's from now on."""
    user = request.user
    project = access.project(user, project_id, Right.MANAGE_PROJECTS)
    form = GuestForm(queries.guests_without(), request.POST)
    if form.is_valid():
        guest = guest_access.guest(user, form.uuid(), Right.EDIT)
        change, address = Edit(project=project.name), request.client_address
        try:
            guests.edit(guest, change, by=user, address=address)
        except AppError as error:
            form.tell(error)
        else:
            messages.success(request, f"{guest.name} is in {project} now.")
            return redirect("project", project.pk)
    return _page(request, project, status=422, guest_form=form)


@require_POST
@door(Right.SIGNED_IN)
def set_member(request: UserRequest, project_id: int) -> HttpResponse:
    """Let somebody in, or make them something else in it."""
    project = access.peopled(request.user, project_id)
    form = MemberForm(request.POST)
    if form.is_valid():
        who, role = form.cleaned_data["user"], form.cleaned_data["role"]
        try:
            services.set_member(project, who, role, by=_asker(request))
        except AppError as error:
            form.tell(error)
        else:
            return redirect("project", project.pk)
    return _page(request, project, status=422, member_form=form)


@require_POST
@door(Right.SIGNED_IN)
def remove_member(request: UserRequest, project_id: int, username: str) -> HttpResponse:
    """They are not in it any more."""
    project = access.peopled(request.user, project_id)
    member = people.member(project, username)
    try:
        services.remove_member(project, member, by=_asker(request))
    except AppError as error:
        messages.error(request, str(error))
    else:
        if member.user == request.user:
            return redirect("projects")
    return redirect("project", project.pk)


def _page(
    request: UserRequest, project: Project, *, status: int = 200, **forms: Any
) -> HttpResponse:
    user = request.user
    (known,) = queries.known([queries.one(project)], user)
    manages = may_everywhere(user, Right.MANAGE_PROJECTS)
    context = {
        "known": known,
        "project": known.project,
        "allowed": queries.allowed_names(known.scope),
        "takings": queries.takings(project),
        "member_form": MemberForm(),
        "may_people": access.may_people(user, project),
        "may_manage": manages,
        "guest_form": GuestForm(queries.guests_without()) if manages else None,
        "may_ask": may_in(user, project.pk, Right.REQUEST),
    } | forms
    return render(request, "portal/projects/detail.html", context, status=status)


def _form(
    request: UserRequest, form: ProjectForm, project: Project | None
) -> HttpResponse:
    context = {"form": form, "project": project}
    status = 422 if form.errors else 200
    return render(request, "portal/projects/form.html", context, status=status)


def _asker(request: UserRequest) -> Asker:
    return Asker(request.user, request.client_address)
