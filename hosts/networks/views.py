"""Pages of networks."""

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from hosts import access
from hosts.models import Host, Network
from hosts.networks import queries, services
from hosts.networks.forms import DeleteForm, LeaseForm, NetworkEditForm, NetworkForm
from hosts.networks.users import users_of
from hosts.networks.wishes import free_cidr
from kvmweb.accounts.gate import Right, door, may
from kvmweb.accounts.requests import UserRequest
from kvmweb.errors import AppError, Conflict, Invalid
from kvmweb.operations.models import Operation
from kvmweb.operations.registry import label_of

form_page = require_http_methods(["GET", "HEAD", "POST"])


@require_safe
@door(Right.SEE_HOSTS)
def detail(request: UserRequest, network_id: int) -> HttpResponse:
    """One network: what it is, who is on it, what it gave out."""
    network = access.network(request.user, network_id, Right.SEE_HOSTS)
    return _page(request, network, LeaseForm())


@form_page
@door(Right.MANAGE_NETWORKS)
def new(request: UserRequest, pk: int) -> HttpResponse:
    """Make a network on a host."""
    host = access.host(request.user, pk, Right.MANAGE_NETWORKS)
    ground = queries.ground(host)
    form = NetworkForm(
        request.POST or None,
        bridges=queries.bridges(host),
        initial={"cidr": free_cidr(ground.networks)},
    )
    if form.is_valid():
        try:
            operation = services.create(
                host,
                form.wish(),
                autostart=form.cleaned_data["autostart"],
                by=request.user,
                address=request.client_address,
            )
        except (Invalid, Conflict) as error:
            form.tell(error)
        else:
            return redirect(operation)
    return _form(request, form, host, None)


@form_page
@door(Right.MANAGE_NETWORKS)
def edit(request: UserRequest, network_id: int) -> HttpResponse:
    """Change a network."""
    network = access.network(request.user, network_id, Right.MANAGE_NETWORKS)
    host = network.host
    form = NetworkEditForm(network, request.POST or None, bridges=queries.bridges(host))
    if form.is_valid():
        try:
            operation = services.change(
                network, form.said(), by=request.user, address=request.client_address
            )
        except (Invalid, Conflict) as error:
            form.tell(error)
        else:
            return redirect(operation)
    return _form(request, form, host, network)


@form_page
@door(Right.MANAGE_NETWORKS)
def delete(request: UserRequest, network_id: int) -> HttpResponse:
    """Delete a network, once its name was typed."""
    network = access.network(request.user, network_id, Right.MANAGE_NETWORKS)
    form = DeleteForm(network, request.POST or None)
    if form.is_valid():
        try:
            operation = services.delete(
                network, by=request.user, address=request.client_address
            )
        except Conflict as error:
            form.tell(error)
        else:
            return redirect(operation)
    context = {
        "network": network,
        "form": form,
        "refusal": services.why_not_delete(network),
    }
    status = 422 if form.errors else 200
    return render(request, "hosts/networks/delete.html", context, status=status)


@require_POST
@door(Right.MANAGE_NETWORKS)
def start(request: UserRequest, network_id: int) -> HttpResponse:
    """Bring it up."""
    network = access.network(request.user, network_id, Right.MANAGE_NETWORKS)
    by, address = request.user, request.client_address
    return _asked(
        request, network, lambda: services.start(network, by=by, address=address)
    )


@require_POST
@door(Right.MANAGE_NETWORKS)
def stop(request: UserRequest, network_id: int) -> HttpResponse:
    """Take it down; `force` when running guests may lose it."""
    network = access.network(request.user, network_id, Right.MANAGE_NETWORKS)
    by, address = request.user, request.client_address
    force = request.POST.get("force") == "true"
    return _asked(
        request,
        network,
        lambda: services.stop(network, force=force, by=by, address=address),
    )


@require_POST
@door(Right.MANAGE_NETWORKS)
def fix_lease(request: UserRequest, network_id: int) -> HttpResponse:
    """Give a network card always the same address."""
    network = access.network(request.user, network_id, Right.MANAGE_NETWORKS)
    form = LeaseForm(request.POST)
    if form.is_valid():
        told = form.cleaned_data
        try:
            services.fix_lease(
                network,
                told["mac"],
                told["address"],
                told["name"],
                by=request.user,
                address=request.client_address,
            )
        except (Invalid, Conflict) as error:
            form.tell(error)
        else:
            messages.success(request, f"{told['address']} is being fixed.")
            return redirect("network", network.pk)
    return _page(request, network, form)


@require_POST
@door(Right.MANAGE_NETWORKS)
def free_lease(request: UserRequest, network_id: int) -> HttpResponse:
    """Let a network card have any address again."""
    network = access.network(request.user, network_id, Right.MANAGE_NETWORKS)
    by, address = request.user, request.client_address
    mac = request.POST.get("mac", "")
    return _asked(
        request,
        network,
        lambda: services.free_lease(network, mac, by=by, address=address),
    )


def _page(request: UserRequest, network: Network, form: LeaseForm) -> HttpResponse:
    context = {
        "network": network,
        "host": network.host,
        "leases": queries.leases(network),
        "users": users_of(network),
        "form": form,
        "manages": may(request.user, Right.MANAGE_NETWORKS),
    }
    status = 422 if form.errors else 200
    return render(request, "hosts/networks/detail.html", context, status=status)


def _form(
    request: UserRequest, form: NetworkForm, host: Host, network: Network | None
) -> HttpResponse:
    context = {"form": form, "host": host, "network": network}
    status = 422 if form.errors else 200
    return render(request, "hosts/networks/form.html", context, status=status)


def _asked(
    request: UserRequest, network: Network, ask: Callable[[], Operation]
) -> HttpResponse:
    """Ask, say what came of it, and go back to the network."""
    try:
        operation = ask()
    except AppError as error:
        messages.error(request, str(error))
    else:
        label = label_of(operation.kind)
        messages.success(request, f"{network.name}: “{label}” is under way.")
    return redirect("network", network.pk)
