"""Pages of pools and volumes."""

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from hosts import access
from hosts.storage import queries
from kvmweb.accounts.gate import Right, door
from kvmweb.accounts.requests import UserRequest


@require_safe
@door(Right.SEE_HOSTS)
def pool(request: UserRequest, pool_id: int) -> HttpResponse:
    """One pool with its volumes."""
    found = queries.one(access.pool(request.user, pool_id, Right.SEE_HOSTS))
    rows = queries.volumes(found.volumes.all())
    page = Paginator(rows, 50).get_page(request.GET.get("page", 1))
    context = {"pool": found, "page": page, "volumes": queries.shown(page.object_list)}
    return render(request, "hosts/storage/pool.html", context)
