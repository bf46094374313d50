"""The page of balancing: how hosts fare, what would help, rules, and the autopilot."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from guests.balance import access, services
from guests.balance.forms import CourseForm, RuleForm, initial_of, pairs_of
from guests.balance.models import Autopilot, PlacementRule
from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.requests import UserRequest
from kvmweb.errors import AppError


@require_safe
@door(Right.SEE_HOSTS)
def page(request: UserRequest) -> HttpResponse:
    """What would help now, and why; nothing is moved by looking."""
    return _page(request)


@require_POST
@door(Right.BALANCE)
def run(request: UserRequest) -> HttpResponse:
    """Make the moves that are ticked."""
    chosen = pairs_of(request.POST.getlist("move"))
    try:
        operation = services.run(
            chosen, by=request.user, address=request.client_address
        )
    except AppError as error:
        messages.error(request, str(error))
        return redirect("balance")
    return redirect("convoy", operation.pk)


@require_POST
@door(Right.BALANCE)
def add_rule(request: UserRequest) -> HttpResponse:
    """Say where guests with a tag belong."""
    form = RuleForm(request.POST)
    if form.is_valid():
        try:
            services.add_rule(
                form.rule(), by=request.user, address=request.client_address
            )
        except AppError as error:
            form.tell(error)
        else:
            return redirect("balance")
    return _page(request, 422, rule_form=form)


@require_POST
@door(Right.BALANCE)
def remove_rule(request: UserRequest, rule_id: int) -> HttpResponse:
    """Ask it of nobody any more."""
    rule = access.rule(request.user, rule_id, Right.BALANCE)
    services.remove_rule(rule, by=request.user, address=request.client_address)
    return redirect("balance")


@require_POST
@door(Right.BALANCE)
def steer(request: UserRequest) -> HttpResponse:
    """Let it run by itself, or not."""
    form = CourseForm(request.POST)
    if form.is_valid():
        try:
            services.steer(
                form.cleaned_data["tag"],
                form.course(),
                by=request.user,
                address=request.client_address,
            )
        except AppError as error:
            form.tell(error)
        else:
            return redirect("balance")
    return _page(request, 422, course_form=form)


def _page(request: UserRequest, status: int = 200, **forms: Any) -> HttpResponse:
    found = services.proposal()
    pilots = list(Autopilot.objects.all())
    whole = next((it for it in pilots if not it.tag), None)
    context = {
        "proposal": found,
        "loads": list(zip(found.before, found.after, strict=True)),
        "under_way": services.under_way(),
        "rules": PlacementRule.objects.all(),
        "pilots": pilots,
        "rule_form": RuleForm(),
        "course_form": CourseForm(initial=initial_of(whole)),
    } | forms
    return render(request, "guests/balance/page.html", context, status=status)
