"""Pages of machines: what somebody has, and what can be done with one."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from guests import access as guests
from guests import services as guest_services
from guests.models import Guest
from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.requests import UserRequest
from kvmweb.accounts.services import Asker
from kvmweb.errors import AppError, Forbidden
from portal.leases import services as leases
from portal.machines import access, queries, services
from portal.machines.forms import DeleteForm, ExtendForm, HandOverForm, SizeForm
from portal.machines.queries import Machine
from portal.requests import services as requests

form_page = require_http_methods(["GET", "HEAD", "POST"])


@require_safe
@door(Right.SEE)
def listing(request: UserRequest) -> HttpResponse:
    """One's own machines, and those of one's projects."""
    search = request.GET.get("search", "").replace("\0", "").strip()[:200]
    page = queries.listing(request.user, search, request.GET.get("page", "1"))
    context = {
        "page": page,
        "machines": queries.machines(page.object_list, request.user),
        "filters": {"search": search},
    }
    return render(request, "portal/machines/list.html", context)


@require_safe
@door(Right.SEE)
def detail(request: UserRequest, pk: UUID) -> HttpResponse:
    """One machine: how it is, how to reach it, how long it stays, what can be done."""
    guest = guests.guest(request.user, pk, Right.SEE)
    machine = _machine(request, guest)
    context = {
        "machine": machine,
        "guest": machine.guest,
        "actions": queries.actions(machine.guest, request.user),
        "whole": queries.whole(guest, request.user),
        "may_hand_over": access.may_hand_over(request.user, guest),
    }
    return render(request, "portal/machines/detail.html", context)


@form_page
@door(Right.OPERATE)
def extend(request: UserRequest, pk: UUID) -> HttpResponse:
    """Some days longer: at once as far as the rule goes, else somebody is asked."""
    guest = guests.guest(request.user, pk, Right.OPERATE)
    machine = _machine(request, guest)
    first = {"days": machine.extend_days or queries.USUAL_DAYS}
    form = ExtendForm(request.POST or None, initial=first)
    if form.is_valid():
        try:
            said = _extended(request, machine, form.cleaned_data)
        except AppError as error:
            form.tell(error)
        else:
            messages.success(request, said)
            return redirect("machine", pk)
    return _form(request, "extend", guest, form, machine=machine)


@require_POST
@door(Right.OPERATE)
def lend(request: UserRequest, pk: UUID) -> HttpResponse:
    """Give it an end."""
    guest = guests.guest(request.user, pk, Right.OPERATE)
    form = ExtendForm(request.POST)
    if form.is_valid():
        by, address = request.user, request.client_address
        days = form.cleaned_data["days"]
        lease = leases.lend(guest, days, by=by, address=address)
        end = f"{lease.ends_at:%-d %B %Y}"
        messages.success(request, f"{guest.name} stays until {end}.")
    else:
        messages.error(request, "Say for how many days.")
    return redirect("machine", pk)


@form_page
@door(Right.OPERATE)
def resize(request: UserRequest, pk: UUID) -> HttpResponse:
    """Ask for another size."""
    guest = guests.guest(request.user, pk, Right.OPERATE)
    form = SizeForm(guest, request.POST or None)
    if form.is_valid():
        try:
            reason = form.cleaned_data["reason"]
            asked = requests.ask_resize(guest, form.size(), reason, by=_asker(request))
        except AppError as error:
            form.tell(error)
        else:
            messages.success(request, f"Another size of {guest.name} is asked for.")
            return redirect(asked)
    return _form(request, "resize", guest, form)


@form_page
@door(Right.EDIT)
def hand_over(request: UserRequest, pk: UUID) -> HttpResponse:
    """Give it to a colleague."""
    guest = guests.guest(request.user, pk, Right.EDIT)
    services.need_colleagues(guest)
    if not access.may_hand_over(request.user, guest):
        raise Forbidden(f"Only who owns {guest.name} may hand it over.")
    form = HandOverForm(guest, request.POST or None)
    if form.is_valid():
        by, address = request.user, request.client_address
        try:
            to = form.cleaned_data["to"].username
            services.hand_over(guest, to, by=by, address=address)
        except AppError as error:
            form.tell(error)
        else:
            messages.success(request, f"{guest.name} belongs to {to} now.")
            return redirect("machine", pk)
    return _form(request, "hand_over", guest, form)


@form_page
@door(Right.DELETE)
def delete(request: UserRequest, pk: UUID) -> HttpResponse:
    """Its name typed, and what will be lost, by name and size."""
    guest = guests.guest(request.user, pk, Right.DELETE)
    form = DeleteForm(guest, request.POST or None)
    if form.is_valid():
        by, address = request.user, request.client_address
        try:
            services.delete(guest, by=by, address=address)
        except AppError as error:
            form.tell(error)
        else:
            messages.success(request, f"{guest.name} is being deleted.")
            return redirect("machines")
    volumes, refusal = guest_services.fates(guest, request.user)
    whole = queries.whole(guest, request.user)
    told = {"volumes": volumes, "refusal": refusal, "snapshots": whole.snapshots}
    return _form(request, "delete", guest, form, **told)


def _extended(request: UserRequest, machine: Machine, typed: dict[str, Any]) -> str:
    """What came of it, as a sentence."""
    days, guest = typed["days"], machine.guest
    if days > machine.most_days and machine.lease is not None:
        reason = typed["reason"]
        asked = requests.ask_extension(guest, days, reason, by=_asker(request))
        if asked.pending:
            return f"{days} days more for {guest.name} are asked for."
        return f"{guest.name} stays {days} days longer."
    by, address = request.user, request.client_address
    lease = leases.extend(guest.pk, days, by=by, address=address)
    return f"{guest.name} stays until {lease.ends_at:%-d %B %Y}."


def _machine(request: UserRequest, guest: Guest) -> Machine:
    [machine] = queries.machines([guest], request.user)
    return machine


def _form(
    request: UserRequest, page: str, guest: Guest, form: forms.Form, **told: object
) -> HttpResponse:
    context = {"guest": guest, "form": form, **told}
    status = 422 if form.errors else 200
    return render(request, f"portal/machines/{page}.html", context, status=status)


def _asker(request: UserRequest) -> Asker:
    return Asker(request.user, request.client_address)
