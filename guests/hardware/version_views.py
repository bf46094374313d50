"""Pages of a guest's versions and of its document."""

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

from guests import access, reading
from guests.columns import digest
from guests.hardware import versions
from guests.hardware.differences import changes_between
from guests.models import Guest
from hosts.storage.forms import Told
from kvmweb.accounts import signin
from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.requests import UserRequest
from kvmweb.errors import AppError
from kvmweb.virt.xml.document import LIMIT_CHARS


class XmlForm(Told):
    """A document as somebody wrote it, and their password where it was long ago."""

    xml = forms.CharField(
        max_length=LIMIT_CHARS,
        label="Document",
        widget=forms.Textarea(
            attrs={"rows": 36, "spellcheck": "false", "wrap": "off", "class": "editor"}
        ),
    )
    edited = forms.CharField(max_length=64, widget=forms.HiddenInput())
    password = forms.CharField(
        max_length=1024,
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        label="Your password",
        help_text="Asked for again, because a document can do anything on its host.",
    )


@require_safe
@door(Right.SEE_XML)
def version(request: UserRequest, pk: UUID, number: int) -> HttpResponse:
    """One version: what it changed, by whom, and whether it can be restored."""
    guest = access.guest(request.user, pk, Right.SEE_XML)
    found = reading.since(versions.revision(guest, number))
    newest = guest.revisions.order_by("-number").values_list("number", flat=True)[0]
    context = {
        "guest": guest,
        "version": found,
        "newest": newest,
        "reasons": versions.why_not(guest, found) if number != newest else [],
    }
    return render(request, "guests/hardware/version.html", context)


@require_POST
@door(Right.CHANGE)
def restore(request: UserRequest, pk: UUID, number: int) -> HttpResponse:
    """Define a former version again."""
    guest = access.guest(request.user, pk, Right.CHANGE)
    by, address = request.user, request.client_address
    try:
        versions.restore(guest, number, by=by, address=address)
        messages.success(request, f"Version {number} is being restored.")
    except AppError as error:
        messages.error(request, str(error))
    return redirect(f"{guest.get_absolute_url()}#history")


@require_http_methods(["GET", "HEAD", "POST"])
@door(Right.EDIT_XML)
def editor(request: UserRequest, pk: UUID) -> HttpResponse:
    """Its document to write: first what it would change, then to define it."""
    guest = access.guest(request.user, pk, Right.EDIT_XML)
    now = versions.current(guest)
    form = XmlForm(request.POST or None, initial={"xml": now, "edited": digest(now)})
    confirmed = request.POST.get("step") == "define"
    if form.is_valid() and confirmed and _define(request, guest, form):
        messages.success(request, f"The document of {guest.name} is being written.")
        return redirect(f"{guest.get_absolute_url()}#history")
    context = {
        "guest": guest,
        "form": form,
        "fresh": signin.is_fresh(request),
        "review": _review(guest, form, now) if form.is_bound else None,
    }
    status = 422 if form.errors else 200
    return render(request, "guests/hardware/xml.html", context, status=status)


def _define(request: UserRequest, guest: Guest, form: XmlForm) -> bool:
    """Whether the document was taken; else the form says why not."""
    told, by, address = form.cleaned_data, request.user, request.client_address
    try:
        if not signin.is_fresh(request):
            signin.confirm(request, by, told["password"], address)
        versions.define(
            guest, _unix(told["xml"]), edited=told["edited"], by=by, address=address
        )
    except AppError as error:
        form.tell(error)
        return False
    return True


def _review(guest: Guest, form: XmlForm, now: str) -> dict[str, object] | None:
    """What the document would change; None when it cannot be read, which the form says."""
    xml = _unix(form.cleaned_data.get("xml", ""))
    if not xml:
        return None
    try:
        versions.checked(guest, xml)
        extras = versions.extras(guest, xml, now)
    except AppError as error:
        if not form.errors:
            form.tell(error)
        return None
    return {
        "changes": changes_between(now, xml),
        "diff": reading.diff_of(now, xml),
        "extras": extras,
    }


def _unix(text: str) -> str:
    """Browsers send \\r\\n, libvirt keeps \\n."""
    return text.replace("\r\n", "\n")
