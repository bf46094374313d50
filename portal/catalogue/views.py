"""The page of what people can ask for."""

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from kvmweb.accounts.gate import Right, door, may_in
from kvmweb.accounts.requests import UserRequest
from portal.catalogue import queries
from portal.projects import access
from portal.projects import queries as projects


@require_safe
@door(Right.SIGNED_IN)
def catalogue(request: UserRequest) -> HttpResponse:
    """Flavors and images as cards, with what they are for."""
    word = request.GET.get("project", "")
    project = None
    if word.isascii() and word.isdecimal():
        project = access.project(request.user, int(word), Right.SEE)
    mine = list(projects.mine(request.user))
    if project is None and len(mine) == 1:
        project = mine[0]
    where = f"?project={project.pk}&" if project else "?"
    places = [project] if project else mine
    asks = any(may_in(request.user, each.pk, Right.REQUEST) for each in places)
    context = {
        "ask": f"{reverse('request-new')}{where}" if asks else "",
        "catalogue": queries.catalogue(request.user, project),
        "project": project,
        "mine": mine,
    }
    return render(request, "portal/catalogue/page.html", context)
