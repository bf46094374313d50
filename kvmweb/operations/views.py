"""Pages of operations: the list, one of them, the drawer, and the button that cancels."""

from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.requests import UserRequest
from kvmweb.errors import Conflict
from kvmweb.operations import access, queries, services
from kvmweb.operations.forms import FilterForm

PAGE = 50


@require_safe
@door(Right.SIGNED_IN)
def listing(request: UserRequest) -> HttpResponse:
    """What was asked for, newest first."""
    form = FilterForm(request.GET)
    rows = queries.listing(request.user, form.filters())
    page = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    page.object_list = queries.for_page(request.user, page.object_list)
    context = {"page": page, "operations": page.object_list, "filters": form.filters()}
    return render(request, "operations/list.html", context)


@require_safe
@door(Right.SIGNED_IN)
def detail(request: UserRequest, pk: UUID) -> HttpResponse:
    """One operation: how far it is, what it did, how it ended."""
    operation = access.operation(request.user, pk)
    log = queries.log_for(operation, request.user)
    [operation] = queries.for_page(request.user, [operation])
    context = {
        "operation": operation,
        "log": log,
        "children": queries.for_page(request.user, queries.children(operation)),
        "may_cancel": access.may_cancel(request.user, operation),
    }
    return render(request, "operations/detail.html", context)


@require_safe
@door(Right.SIGNED_IN)
def drawer(request: UserRequest) -> HttpResponse:
    """A part of a page: what goes on now, and what ended last."""
    context = {"operations": queries.drawer(request.user)}
    return render(request, "operations/drawer.html", context)


@require_POST
@door(Right.SIGNED_IN)
def cancel(request: UserRequest, pk: UUID) -> HttpResponse:
    """Stop it, and go back to its page."""
    operation = access.to_cancel(request.user, pk)
    try:
        services.cancel(operation, by=request.user, address=request.client_address)
        messages.success(request, "It was asked to stop.")
    except Conflict as error:
        messages.error(request, str(error))
    return redirect(operation)
