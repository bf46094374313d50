"""Pages of the rules that approve by themselves."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.requests import UserRequest
from kvmweb.accounts.services import Asker
from kvmweb.errors import AppError
from portal.requests import access, queries, rules
from portal.requests.forms import RuleForm
from portal.requests.models import ApprovalRule

form_page = require_http_methods(["GET", "HEAD", "POST"])


@require_safe
@door(Right.MANAGE_PROJECTS)
def listing(request: UserRequest) -> HttpResponse:
    """When nobody is asked."""
    return render(request, "portal/requests/rules.html", {"rules": queries.rules()})


@form_page
@door(Right.MANAGE_PROJECTS)
def new(request: UserRequest) -> HttpResponse:
    """Another rule."""
    return _form(request, None)


@form_page
@door(Right.MANAGE_PROJECTS)
def edit(request: UserRequest, approval_id: int) -> HttpResponse:
    """Another wording of one."""
    return _form(request, access.rule(request.user, approval_id))


@require_POST
@door(Right.MANAGE_PROJECTS)
def remove(request: UserRequest, approval_id: int) -> HttpResponse:
    """It approves nothing any more."""
    rule = access.rule(request.user, approval_id)
    rules.remove(rule, by=_asker(request))
    messages.success(request, f"The rule {rule.name} is removed.")
    return redirect("request-rules")


def _form(request: UserRequest, rule: ApprovalRule | None) -> HttpResponse:
    projects = list(access.projects(request.user))
    form = RuleForm(projects, queries.flavor_words(), request.POST or None, rule)
    if form.is_valid():
        try:
            if rule is None:
                rules.add(form.wish(), by=_asker(request))
            else:
                rules.edit(rule, form.wish(), by=_asker(request))
        except AppError as error:
            form.tell(error)
        else:
            return redirect("request-rules")
    status = 422 if form.errors else 200
    context = {"form": form, "rule": rule}
    return render(request, "portal/requests/rule_form.html", context, status=status)


def _asker(request: UserRequest) -> Asker:
    return Asker(request.user, request.client_address)
