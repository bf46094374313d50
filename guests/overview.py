"""The first page: is all well, what needs somebody, what happened last."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from guests import access, attention, services
from kvmweb.accounts.gate import Right, door, sees_all
from kvmweb.accounts.requests import UserRequest
from kvmweb.operations import queries as operations


@require_safe
@door(Right.SIGNED_IN)
def overview(request: UserRequest) -> HttpResponse:
    """Counts, hosts, what needs somebody, recent operations."""
    user = request.user
    counts = attention.counts(user)
    context = {
        "hosts": attention.hosts(user),
        "counts": counts,
        "attention": attention.found(user),
        "recent": operations.for_page(
            user, operations.listing(user, operations.Filters())[:10]
        ),
        "can_demo": not counts["total"]
        and access.may_demo(user)
        and services.demo_host() is not None,
        "sees_all": sees_all(user),
    }
    return render(request, "overview.html", context)
