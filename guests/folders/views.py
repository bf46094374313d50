"""Pages of folders: all of them, their limits, a new name for one."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from guests.folders import access, queries, services
from guests.folders.forms import LimitForm, RenameForm
from guests.folders.models import FolderLimit
from kvmweb.accounts.gate import Right, door, sees_all
from kvmweb.accounts.requests import UserRequest
from kvmweb.accounts.services import Asker
from kvmweb.errors import AppError

form_page = require_http_methods(["GET", "HEAD", "POST"])


@require_safe
@door(Right.SEE)
def listing(request: UserRequest) -> HttpResponse:
    """Every folder of guests one sees, and the limits for who sees all of them."""
    limits = queries.limits() if sees_all(request.user) else []
    tree = queries.folders(request.user)
    by_path = {it.limit.path: it for it in limits}
    rows = [(it, by_path.pop(it.path, None)) for it in tree]
    context = {"rows": rows, "empty": list(by_path.values())}
    return render(request, "guests/folders/list.html", context)


@form_page
@door(Right.LIMIT_FOLDERS)
def limit(request: UserRequest) -> HttpResponse:
    """Limit a folder."""
    folder = request.GET.get("folder", "")[:100]
    form = LimitForm(None, request.POST or None, initial={"path": folder})
    if form.is_valid():
        path = form.cleaned_data["path"].strip().lower()
        try:
            services.limit(path, form.limits(), by=_asker(request))
        except AppError as error:
            form.tell(error)
        else:
            return redirect("folders")
    return _form(request, form, "Limit a folder", "Limit it")


@form_page
@door(Right.LIMIT_FOLDERS)
def change(request: UserRequest, limit_id: int) -> HttpResponse:
    """Other numbers for a limit."""
    row = access.limit(request.user, limit_id, Right.LIMIT_FOLDERS)
    form = LimitForm(row, request.POST or None)
    if form.is_valid():
        try:
            services.change_limit(row, form.limits(), by=_asker(request))
        except AppError as error:
            form.tell(error)
        else:
            return redirect("folders")
    return _form(request, form, f"Limit of {row.path}", "Save", limit=row)


@require_POST
@door(Right.LIMIT_FOLDERS)
def unlimit(request: UserRequest, limit_id: int) -> HttpResponse:
    """Limit it no more; its guests stay in it."""
    row = access.limit(request.user, limit_id, Right.LIMIT_FOLDERS)
    services.unlimit(row, by=_asker(request))
    messages.success(request, f"The folder {row.path} has no limit any more.")
    return redirect("folders")


@form_page
@door(Right.EDIT)
def rename(request: UserRequest) -> HttpResponse:
    """Give a folder another path."""
    folder = request.GET.get("folder", "")[:100]
    form = RenameForm(request.POST or None, initial={"to": folder})
    if form.is_valid():
        to = form.cleaned_data["to"].strip().lower()
        try:
            changed, left = services.rename(folder, to, by=_asker(request))
        except AppError as error:
            form.tell(error)
        else:
            stay = f" {left} stay, for you may not edit them." if left else ""
            words = f"{folder} is {to} now: {len(changed)} guests changed.{stay}"
            messages.success(request, words)
            return redirect(f"{reverse('guests')}?folder={to}")
    return _form(request, form, f"Rename {folder}", "Rename it")


def _form(
    request: UserRequest,
    form: LimitForm | RenameForm,
    title: str,
    verb: str,
    limit: FolderLimit | None = None,
) -> HttpResponse:
    context = {"form": form, "title": title, "verb": verb, "limit": limit}
    status = 422 if form.errors else 200
    return render(request, "guests/folders/form.html", context, status=status)


def _asker(request: UserRequest) -> Asker:
    return Asker(request.user, request.client_address)
