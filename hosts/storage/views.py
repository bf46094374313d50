"""Pages of pools and volumes."""

from collections.abc import Callable

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from hosts import access
from hosts.models import Pool, Volume
from hosts.storage import pool_services, queries, services
from hosts.storage.forms import (
    CopyForm,
    DeleteForm,
    FetchForm,
    GrowForm,
    NameForm,
    PoolForm,
    Told,
    VolumeForm,
)
from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.requests import UserRequest
from kvmweb.errors import AppError
from kvmweb.operations.models import Operation
from kvmweb.operations.registry import label_of

form_page = require_http_methods(["GET", "HEAD", "POST"])


@require_safe
@door(Right.SEE_HOSTS)
def pool(request: UserRequest, pool_id: int) -> HttpResponse:
    """One pool with its volumes."""
    found = queries.one(access.pool(request.user, pool_id, Right.SEE_HOSTS))
    filters = queries.Filters.of(request.GET.dict())
    rows = queries.filtered(found, filters)
    page = Paginator(rows, queries.PAGE).get_page(request.GET.get("page", 1))
    context = {
        "pool": found,
        "host": found.host,
        "filters": filters,
        "states": queries.SHOWN_STATES,
        "page": page,
        "volumes": queries.shown(page.object_list),
        "trash": queries.in_trash(found),
        "operations": queries.operations(found),
    }
    return render(request, "hosts/storage/pool.html", context)


@form_page
@door(Right.MANAGE_POOLS)
def new_pool(request: UserRequest, pk: int) -> HttpResponse:
    """Add a pool to a host."""
    host = access.host(request.user, pk, Right.MANAGE_POOLS)
    form = PoolForm(host.capabilities.get("pool_types", []), request.POST or None)
    operation = _asked(
        form,
        lambda: pool_services.define(
            host,
            form.wish(),
            autostart=form.cleaned_data["autostart"],
            by=request.user,
            address=request.client_address,
        ),
    )
    if operation:
        return redirect(operation)
    return _form(request, form, "hosts/storage/pool_form.html", host=host)


@form_page
@door(Right.MANAGE_POOLS)
def delete_pool(request: UserRequest, pool_id: int) -> HttpResponse:
    """Have its host forget a pool, once its name was typed."""
    found = queries.one(access.pool(request.user, pool_id, Right.MANAGE_POOLS))
    form = NameForm(found.name, request.POST or None)
    by, address = request.user, request.client_address
    operation = _asked(
        form, lambda: pool_services.delete(found, by=by, address=address)
    )
    if operation:
        return redirect(operation)
    return _form(request, form, "hosts/storage/pool_delete.html", pool=found)


@require_POST
@door(Right.MANAGE_POOLS)
def start_pool(request: UserRequest, pool_id: int) -> HttpResponse:
    """Make its volumes there for guests."""
    found = access.pool(request.user, pool_id, Right.MANAGE_POOLS)
    by, address = request.user, request.client_address
    return _told(
        request, found, lambda: pool_services.start(found, by=by, address=address)
    )


@require_POST
@door(Right.MANAGE_POOLS)
def stop_pool(request: UserRequest, pool_id: int) -> HttpResponse:
    """Take its volumes away."""
    found = access.pool(request.user, pool_id, Right.MANAGE_POOLS)
    by, address = request.user, request.client_address
    return _told(
        request, found, lambda: pool_services.stop(found, by=by, address=address)
    )


@require_POST
@door(Right.MANAGE_VOLUMES)
def refresh_pool(request: UserRequest, pool_id: int) -> HttpResponse:
    """Have the host look again at what is in it."""
    found = access.pool(request.user, pool_id, Right.MANAGE_VOLUMES)
    by, address = request.user, request.client_address
    return _told(
        request, found, lambda: pool_services.refresh(found, by=by, address=address)
    )


@require_POST
@door(Right.MANAGE_POOLS)
def autostart_pool(request: UserRequest, pool_id: int) -> HttpResponse:
    """Whether it starts with its host."""
    found = access.pool(request.user, pool_id, Right.MANAGE_POOLS)
    by, address = request.user, request.client_address
    enabled = request.POST.get("enabled") == "true"
    return _told(
        request,
        found,
        lambda: pool_services.set_autostart(
            found, enabled=enabled, by=by, address=address
        ),
    )


@form_page
@door(Right.MANAGE_VOLUMES)
def new_volume(request: UserRequest, pool_id: int) -> HttpResponse:
    """Make an empty volume."""
    found = access.pool(request.user, pool_id, Right.MANAGE_VOLUMES)
    form = VolumeForm(request.POST or None)
    by, address = request.user, request.client_address
    operation = _asked(
        form, lambda: services.create(found, form.new(), by=by, address=address)
    )
    if operation:
        return _back(request, found, operation)
    return _form(request, form, "hosts/storage/volume_form.html", pool=found)


@require_safe
@door(Right.MANAGE_VOLUMES)
def upload(request: UserRequest, pool_id: int) -> HttpResponse:
    """Bring an image: the page's script streams it to the host."""
    found = access.pool(request.user, pool_id, Right.MANAGE_VOLUMES)
    return render(request, "hosts/storage/upload.html", {"pool": found})


@require_safe
@door(Right.SEE_HOSTS)
def volume(request: UserRequest, volume_id: int) -> HttpResponse:
    """One volume: what it is, and who uses it."""
    found = access.volume(request.user, volume_id, Right.SEE_HOSTS)
    context = {
        "each": queries.shown([found])[0],
        "volume": found,
        "pool": found.pool,
        "above": queries.above(found),
    }
    return render(request, "hosts/storage/volume.html", context)


@form_page
@door(Right.MANAGE_VOLUMES)
def grow_volume(request: UserRequest, volume_id: int) -> HttpResponse:
    """Make a volume larger."""
    found = access.volume(request.user, volume_id, Right.MANAGE_VOLUMES)
    form = GrowForm(request.POST or None)
    by, address = request.user, request.client_address
    operation = _asked(
        form,
        lambda: services.grow(found, form.cleaned_data["size"], by=by, address=address),
    )
    if operation:
        return _back(request, found.pool, operation)
    return _volume_form(request, form, found, "grow")


@form_page
@door(Right.MANAGE_VOLUMES)
def clone_volume(request: UserRequest, volume_id: int) -> HttpResponse:
    """Make a full copy, in another format if wished."""
    found = access.volume(request.user, volume_id, Right.MANAGE_VOLUMES)
    start = {"pool": found.pool_id, "format": queries.shown([found])[0].format}
    form = CopyForm(found, request.POST or None, initial=start)
    by, address = request.user, request.client_address
    operation = _asked(
        form, lambda: services.clone(found, form.copy_in(), by=by, address=address)
    )
    if operation:
        return _back(request, found.pool, operation)
    return _volume_form(request, form, found, "clone")


@form_page
@door(Right.MANAGE_POOLS)
def fetch_volume(request: UserRequest, volume_id: int) -> HttpResponse:
    """Fill a volume with a file of the web."""
    found = access.volume(request.user, volume_id, Right.MANAGE_POOLS)
    form = FetchForm(request.POST or None)
    operation = _asked(
        form,
        lambda: services.fetch(
            found,
            form.cleaned_data["url"],
            sha256=form.cleaned_data["sha256"],
            by=request.user,
            address=request.client_address,
        ),
    )
    if operation:
        return _back(request, found.pool, operation)
    return _volume_form(request, form, found, "fetch")


@form_page
@door(Right.MANAGE_VOLUMES)
def delete_volume(request: UserRequest, volume_id: int) -> HttpResponse:
    """Throw a volume away, once its name was typed."""
    found = access.volume(request.user, volume_id, Right.MANAGE_VOLUMES)
    trashed = queries.shown([found])[0].state != "ready"
    form = DeleteForm(found.name, request.POST or None, initial={"now": trashed})
    by, address = request.user, request.client_address
    operation = _asked(
        form,
        lambda: services.delete(
            found, now=form.cleaned_data["now"], by=by, address=address
        ),
    )
    if operation:
        return _back(request, found.pool, operation)
    return _volume_form(request, form, found, "delete")


@require_POST
@door(Right.MANAGE_VOLUMES)
def restore_volume(request: UserRequest, volume_id: int) -> HttpResponse:
    """Take a volume out of the trash."""
    found = access.volume(request.user, volume_id, Right.MANAGE_VOLUMES)
    try:
        services.restore(found, by=request.user, address=request.client_address)
    except AppError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"{found.name} is out of the trash.")
    return redirect("pool", found.pool_id)


def _asked(form: Told, ask: Callable[[], Operation]) -> Operation | None:
    """The operation, when the form is sent and neither it nor the service refuses."""
    if not form.is_valid():
        return None
    try:
        return ask()
    except AppError as error:
        form.tell(error)
        return None


def _told(
    request: UserRequest, found: Pool, ask: Callable[[], Operation]
) -> HttpResponse:
    """Back to the pool, with a word about what was asked for."""
    try:
        operation = ask()
    except AppError as error:
        messages.error(request, str(error))
        return redirect("pool", found.pk)
    return _back(request, found, operation)


def _back(request: UserRequest, found: Pool, operation: Operation) -> HttpResponse:
    messages.success(request, f"Under way: {label_of(operation.kind)}.")
    return redirect("pool", found.pk)


def _volume_form(
    request: UserRequest, form: Told, found: Volume, what: str
) -> HttpResponse:
    template = f"hosts/storage/volume_{what}.html"
    each = queries.shown([found])[0]
    return _form(request, form, template, volume=found, pool=found.pool, each=each)


def _form(
    request: UserRequest, form: Told, template: str, **about: object
) -> HttpResponse:
    status = 422 if form.errors else 200
    return render(request, template, {"form": form, **about}, status=status)
