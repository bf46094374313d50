"""Pages that change a guest's hardware. What it is, is seen on the guest's own page."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from guests import access
from guests import services as guest_services
from guests.edits import Edit
from guests.hardware import details, disks, host_devices, nics, versions
from guests.hardware.disk_forms import (
    DiskChangeForm,
    DiskForm,
    MediaForm,
    RemoveDiskForm,
)
from guests.hardware.forms import HardwareForm, NicChangeForm, NicForm, RemoveForm
from guests.hardware.wishes import NOW
from guests.models import Guest
from hosts.storage.forms import Told
from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.requests import UserRequest
from kvmweb.errors import AppError, NotFound
from kvmweb.operations.models import Operation
from kvmweb.operations.registry import label_of
from kvmweb.sizes import amount

form_page = require_http_methods(["GET", "HEAD", "POST"])


@dataclass(frozen=True, slots=True)
class Page:
    """What stands around a form."""

    title: str
    verb: str
    tab: str
    intro: str = ""


@form_page
@door(Right.CHANGE)
def numbers(request: UserRequest, pk: UUID) -> HttpResponse:
    """vCPUs, memory, processor, firmware, boot order, name."""
    guest = access.guest(request.user, pk, Right.CHANGE)
    doc = details.definition(guest)
    if doc is None:
        raise NotFound(f"No document of {guest.name} is known.")
    form = HardwareForm(guest, doc, request.POST or None)

    def ask() -> Operation | None:
        return guest_services.edit(
            guest,
            Edit(),
            by=request.user,
            address=request.client_address,
            hardware=form.wish(),
            when=form.cleaned_data["when"] or NOW,
        )

    intro = "Fewer vCPUs and less memory than “at most” change while it runs."
    page = Page(f"Hardware of {guest.name}", "Change it", "hardware", intro)
    return _answer(request, guest, form, ask, page)


@form_page
@door(Right.CHANGE)
def add_disk(request: UserRequest, pk: UUID) -> HttpResponse:
    """A further disk."""
    guest = access.guest(request.user, pk, Right.CHANGE)
    form = DiskForm(guest, request.user, request.POST or None)

    def ask() -> Operation:
        return disks.add(
            guest,
            form.wish(),
            when=form.cleaned_data["when"] or NOW,
            by=request.user,
            address=request.client_address,
        )

    page = Page(f"Add a disk to {guest.name}", "Add it", "disks")
    return _answer(request, guest, form, ask, page)


@form_page
@door(Right.CHANGE)
def change_disk(request: UserRequest, pk: UUID, target: str) -> HttpResponse:
    """Grow a disk, or have it handled otherwise."""
    guest = access.guest(request.user, pk, Right.CHANGE)
    disk = details.disk(guest, target)
    if disk is None:
        raise NotFound(f"{guest.name} has no disk {target[:40]!r}.")
    _, volume = disks.volume_of(guest, target)
    size = volume.capacity_bytes if volume else None
    form = DiskChangeForm(disk, size, request.POST or None)

    def ask() -> Operation:
        return disks.change(
            guest,
            target,
            form.wish(),
            when=NOW,
            by=request.user,
            address=request.client_address,
        )

    intro = "All but the size changes when the guest is off and started again."
    page = Page(f"Disk {target} of {guest.name}", "Change it", "disks", intro)
    return _answer(request, guest, form, ask, page)


@form_page
@door(Right.CHANGE)
def remove_disk(request: UserRequest, pk: UUID, target: str) -> HttpResponse:
    """Take a disk out."""
    guest = access.guest(request.user, pk, Right.CHANGE)
    path, volume = disks.volume_of(guest, target)
    form = RemoveDiskForm(guest, request.POST or None)

    def ask() -> Operation:
        return disks.remove(
            guest,
            target,
            delete=form.cleaned_data["volume"] == "delete",
            when=form.cleaned_data["when"] or NOW,
            by=request.user,
            address=request.client_address,
        )

    size = f", {amount(volume.capacity_bytes)}" if volume else ""
    intro = f"It lies at {path or 'no place'}{size}." if path else "The drive is empty."
    page = Page(f"Take {target} out of {guest.name}", "Take it out", "disks", intro)
    return _answer(request, guest, form, ask, page)


@form_page
@door(Right.CHANGE)
def media(request: UserRequest, pk: UUID) -> HttpResponse:
    """What is in the CD drive."""
    guest = access.guest(request.user, pk, Right.CHANGE)
    form = MediaForm(guest, request.user, request.POST or None)

    def ask() -> Operation:
        said = form.cleaned_data
        return disks.set_media(
            guest,
            said["volume"],
            target=said.get("target", ""),
            force=said["force"],
            when=NOW,
            by=request.user,
            address=request.client_address,
        )

    intro = "Volumes that end with .iso can be chosen. It changes while the guest runs."
    page = Page(f"CD of {guest.name}", "Change it", "disks", intro)
    return _answer(request, guest, form, ask, page)


@form_page
@door(Right.CHANGE)
def add_nic(request: UserRequest, pk: UUID) -> HttpResponse:
    """A further network card."""
    guest = access.guest(request.user, pk, Right.CHANGE)
    form = NicForm(guest, request.POST or None)

    def ask() -> Operation:
        return nics.add(
            guest,
            form.wish(),
            when=form.cleaned_data["when"] or NOW,
            by=request.user,
            address=request.client_address,
        )

    page = Page(f"Add a network card to {guest.name}", "Add it", "network")
    return _answer(request, guest, form, ask, page)


@form_page
@door(Right.CHANGE)
def change_nic(request: UserRequest, pk: UUID, mac: str) -> HttpResponse:
    """Another network, model, filter, limit."""
    guest = access.guest(request.user, pk, Right.CHANGE)
    nic = details.nic(guest, mac)
    if nic is None:
        raise NotFound(f"{guest.name} has no network card {mac[:40]!r}.")
    form = NicChangeForm(guest, nic, request.POST or None)

    def ask() -> Operation:
        return nics.change(
            guest,
            mac,
            form.change(),
            when=form.cleaned_data["when"] or NOW,
            by=request.user,
            address=request.client_address,
        )

    intro = "All but the model changes while it runs."
    page = Page(f"Network card {mac} of {guest.name}", "Change it", "network", intro)
    return _answer(request, guest, form, ask, page)


@form_page
@door(Right.CHANGE)
def remove_nic(request: UserRequest, pk: UUID, mac: str) -> HttpResponse:
    """Take a network card out."""
    guest = access.guest(request.user, pk, Right.CHANGE)
    nic = details.nic(guest, mac)
    if nic is None:
        raise NotFound(f"{guest.name} has no network card {mac[:40]!r}.")
    form = RemoveForm(guest, request.POST or None)

    def ask() -> Operation:
        return nics.remove(
            guest,
            mac,
            when=form.cleaned_data["when"] or NOW,
            by=request.user,
            address=request.client_address,
        )

    intro = f"It is on {nic.network or nic.bridge or nic.dev or 'no network'}."
    page = Page(f"Take {mac} out of {guest.name}", "Take it out", "network", intro)
    return _answer(request, guest, form, ask, page)


@form_page
@door(Right.HOST_DEVICES)
def devices(request: UserRequest, pk: UUID) -> HttpResponse:
    """The devices of its host: give one, take one back."""
    guest = access.guest(request.user, pk, Right.HOST_DEVICES)
    by, address = request.user, request.client_address
    name, give = request.POST.get("device", ""), request.POST.get("verb") == "give"
    if request.method == "POST":
        verb = host_devices.add if give else host_devices.remove
        return _asked(
            request,
            guest,
            lambda: verb(guest, name, when=NOW, by=by, address=address),
            "hardware",
        )
    context = {"guest": guest, "offers": host_devices.offers(guest)}
    return render(request, "guests/hardware/devices.html", context)


@require_POST
@door(Right.CHANGE)
def revoke(request: UserRequest, pk: UUID) -> HttpResponse:
    """Take back what waits for its next start."""
    guest = access.guest(request.user, pk, Right.CHANGE)
    by, address = request.user, request.client_address
    return _asked(
        request,
        guest,
        lambda: versions.revoke(guest, by=by, address=address),
        "overview",
    )


def _answer(
    request: UserRequest,
    guest: Guest,
    form: Told,
    ask: Callable[[], Operation | None],
    page: Page,
) -> HttpResponse:
    """The form, or what came of it when it was sent."""
    if form.is_valid():
        try:
            operation = ask()
        except AppError as error:
            form.tell(error)
        else:
            _say(request, guest, operation)
            return redirect(f"{guest.get_absolute_url()}#{page.tab}")
    context = {"guest": guest, "form": form, "page": page}
    status = 422 if form.errors else 200
    return render(request, "guests/hardware/form.html", context, status=status)


def _asked(
    request: UserRequest, guest: Guest, ask: Callable[[], Operation], tab: str
) -> HttpResponse:
    """Ask, say what came of it, and go back to where the button was."""
    try:
        _say(request, guest, ask())
    except AppError as error:
        messages.error(request, str(error))
    return redirect(f"{guest.get_absolute_url()}#{tab}")


def _say(request: UserRequest, guest: Guest, operation: Operation | None) -> None:
    if operation is None:
        messages.info(request, "Nothing was changed.")
        return
    label = label_of(operation.kind)
    messages.success(request, f"{guest.name}: “{label}” is under way.")
