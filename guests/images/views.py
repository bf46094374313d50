"""Pages of images."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from guests.images import access, queries, services
from guests.images.forms import AboutForm, DeleteForm, EditForm, FromVolumeForm
from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.requests import UserRequest
from kvmweb.errors import AppError

form_page = require_http_methods(["GET", "HEAD", "POST"])


@require_safe
@door(Right.SEE_HOSTS)
def listing(request: UserRequest) -> HttpResponse:
    """All images, and which hosts have them."""
    filters = queries.Filters.of(request.GET.dict())
    page = queries.page(request.user, filters, request.GET.get("page", "1"))
    context = {"page": page, "filters": filters}
    return render(request, "guests/images/list.html", context)


@require_safe
@door(Right.SEE_HOSTS)
def detail(request: UserRequest, image_id: int) -> HttpResponse:
    """One image: what it is, where it is."""
    image = queries.one(access.image(request.user, image_id, Right.SEE_HOSTS))
    return render(request, "guests/images/detail.html", {"image": image})


@require_safe
@door(Right.MANAGE_IMAGES)
def upload(request: UserRequest) -> HttpResponse:
    """Choose a file; a script sends it (static/js/image-upload.js)."""
    context = {
        "form": AboutForm(),
        "pools": list(queries.upload_pools(request.user)),
    }
    return render(request, "guests/images/upload.html", context)


@form_page
@door(Right.MANAGE_IMAGES)
def new(request: UserRequest) -> HttpResponse:
    """Make a volume that is there an image."""
    first = {"volume": request.GET.get("volume", "")}
    form = FromVolumeForm(request.user, request.POST or None, initial=first)
    if form.is_valid():
        try:
            operation = services.add(
                form.about(),
                form.cleaned_data["volume"],
                by=request.user,
                address=request.client_address,
            )
        except AppError as error:
            form.tell(error)
        else:
            messages.success(request, f"{operation.guest_name} is being read.")
            return redirect("images")
    status = 422 if form.errors else 200
    return render(request, "guests/images/new.html", {"form": form}, status=status)


@form_page
@door(Right.MANAGE_IMAGES)
def edit(request: UserRequest, image_id: int) -> HttpResponse:
    """Name, version, system."""
    image = access.image(request.user, image_id, Right.MANAGE_IMAGES)
    form = EditForm(image, request.POST or None)
    if form.is_valid():
        by, address = request.user, request.client_address
        try:
            services.edit(image, form.about(), by=by, address=address)
        except AppError as error:
            form.tell(error)
        else:
            messages.success(request, "Saved.")
            return redirect(image)
    status = 422 if form.errors else 200
    context = {"form": form, "image": image}
    return render(request, "guests/images/edit.html", context, status=status)


@form_page
@door(Right.MANAGE_IMAGES)
def delete(request: UserRequest, image_id: int) -> HttpResponse:
    """Forget it, and what becomes of its copies."""
    image = queries.one(access.image(request.user, image_id, Right.MANAGE_IMAGES))
    form = DeleteForm(request.POST or None)
    if form.is_valid():
        try:
            operation = services.delete(
                image,
                copies=form.cleaned_data["copies"] == "delete",
                by=request.user,
                address=request.client_address,
            )
        except AppError as error:
            form.add_error(None, str(error))
        else:
            words = "is being deleted" if operation else "was deleted"
            messages.success(request, f"The image {image} {words}.")
            return redirect(operation or "images")
    status = 422 if form.errors else 200
    context = {"form": form, "image": image}
    return render(request, "guests/images/delete.html", context, status=status)
