"""The page of a new guest: what is wanted, and beside it what will happen."""

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from guests.creation import reading, services
from guests.creation.choices import choices
from guests.creation.forms import CreateForm, beginning
from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.requests import UserRequest
from kvmweb.errors import AppError

PREVIEW = "preview"  # the button that only looks


@require_http_methods(["GET", "HEAD", "POST"])
@door(Right.CREATE)
def new(request: UserRequest) -> HttpResponse:
    """Ask for a guest, or see first what would come of it."""
    offered = choices(request.user)
    if request.method != "POST":
        start = beginning(request.GET.dict(), offered)
        return _page(request, CreateForm(request.user, offered, initial=start))
    form = CreateForm(request.user, offered, request.POST)
    seen: reading.Shown | None = None
    if form.is_valid():
        try:
            if PREVIEW not in request.POST:
                address = request.client_address
                return redirect(
                    services.create(
                        form.wish(), form.cloud(), by=request.user, address=address
                    )
                )
            found = services.preview(form.wish(), form.cloud(), by=request.user)
            seen = reading.shown(found)
        except AppError as error:
            form.tell(error)
    return _page(request, form, seen)


def _page(
    request: UserRequest, form: CreateForm, seen: reading.Shown | None = None
) -> HttpResponse:
    looked = PREVIEW in request.POST  # who only looks has done nothing wrong
    context = {"form": form, "preview": seen, "looked": looked}
    status = 422 if form.errors and not looked else 200
    return render(request, "guests/new.html", context, status=status)
