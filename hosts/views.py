"""Pages of hosts."""

from collections.abc import Sequence

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from hosts import access, queries, services
from hosts.forms import HostForm, MaintenanceForm, RemoveForm, initial_of
from hosts.models import Host, Pool
from hosts.problems import Situation, problems
from hosts.storage import queries as storage_queries
from kvmweb.accounts.gate import Right, door, may
from kvmweb.accounts.requests import UserRequest
from kvmweb.errors import Conflict, Invalid


@require_safe
@door(Right.SEE_HOSTS)
def listing(request: UserRequest) -> HttpResponse:
    """All hosts, with how they are now."""
    filters = queries.Filters.of(request.GET.dict())
    page = queries.page(request.user, filters, request.GET.get("page", 1))
    context = {
        "page": page,
        "filters": filters,
        "sorts": list(queries.ORDERINGS),
        "states": queries.STATES,
        "rights": _rights(request),
    }
    return render(request, "hosts/list.html", context)


@require_safe
@door(Right.SEE_HOSTS)
def detail(request: UserRequest, pk: int) -> HttpResponse:
    """One host: is it well, how busy, what is on it."""
    host = access.host(request.user, pk, Right.SEE_HOSTS)
    host = queries.dressed([queries.one(host)])[0]
    pools = list(storage_queries.pools(host))
    context = {
        "host": host,
        "pools": pools,
        "networks": queries.networks(host),
        "guests": queries.guests(host),
        "sample": host.sample,
        "operations": queries.operations(host),
        "problems": problems(_situation(host, pools)),
        "rights": _rights(request),
    }
    return render(request, "hosts/detail.html", context)


@require_http_methods(["GET", "POST"])
@door(Right.MANAGE_HOSTS)
def new(request: UserRequest) -> HttpResponse:
    """Add a host."""
    form = HostForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            wish = form.wish()
            host = services.add(wish, by=request.user, address=request.client_address)
        except (Invalid, Conflict) as error:
            form.tell(error)
        else:
            messages.success(request, f"{host.name} is being checked and connected.")
            return redirect(host)
    return _form(request, form, None)


@require_http_methods(["GET", "POST"])
@door(Right.MANAGE_HOSTS)
def edit(request: UserRequest, pk: int) -> HttpResponse:
    """Change what is said of a host."""
    host = access.host(request.user, pk, Right.MANAGE_HOSTS)
    form = HostForm(request.POST or None, initial=initial_of(host))
    if request.method == "POST" and form.is_valid():
        try:
            wish = form.wish(services.wish_of(host))
            services.edit(host, wish, by=request.user, address=request.client_address)
        except (Invalid, Conflict) as error:
            form.tell(error)
        else:
            messages.success(request, f"{wish.name} was changed.")
            return redirect(host)
    return _form(request, form, host)


@require_http_methods(["GET", "POST"])
@door(Right.MANAGE_HOSTS)
def delete(request: UserRequest, pk: int) -> HttpResponse:
    """Forget a host, once its name was typed."""
    host = queries.one(access.host(request.user, pk, Right.MANAGE_HOSTS))
    form = RemoveForm(host, request.POST or None)
    if request.method == "POST" and form.is_valid():
        services.remove(host, by=request.user, address=request.client_address)
        messages.success(request, f"{host.name} was removed; nothing on it changed.")
        return redirect("hosts")
    context = {"host": host, "form": form}
    return render(request, "hosts/delete.html", context, status=_status(form))


@require_POST
@door(Right.MANAGE_HOSTS)
def maintenance(request: UserRequest, pk: int) -> HttpResponse:
    """Keep new guests away, or let them come again."""
    host = access.host(request.user, pk, Right.MANAGE_HOSTS)
    form = MaintenanceForm(request.POST)
    form.is_valid()
    services.set_maintenance(
        host,
        enabled=form.cleaned_data["enabled"],
        by=request.user,
        address=request.client_address,
    )
    return redirect(host)


@require_POST
@door(Right.MANAGE_HOSTS)
def check(request: UserRequest, pk: int) -> HttpResponse:
    """Try step by step how the host can be reached."""
    host = access.host(request.user, pk, Right.MANAGE_HOSTS)
    services.check(host, by=request.user, address=request.client_address)
    messages.success(request, f"{host.name} is being checked.")
    return redirect(host)


def _form(request: UserRequest, form: HostForm, host: Host | None) -> HttpResponse:
    context = {"form": form, "host": host}
    return render(request, "hosts/form.html", context, status=_status(form))


def _status(form: HostForm | RemoveForm) -> int:
    return 422 if form.is_bound else 200


def _situation(host: Host, pools: Sequence[Pool]) -> Situation:
    return Situation(
        host=host,
        pools=pools,
        same_machines=queries.same_machines(host),
        running_memory_bytes=queries.running_memory_bytes(host),
        now=timezone.now(),
    )


def _rights(request: UserRequest) -> set[str]:
    rights = (Right.SEE_HOSTS, Right.MANAGE_HOSTS)
    return {right.value for right in rights if may(request.user, right)}
