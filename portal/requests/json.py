"""A request as API answers and live messages say it: one shape for both."""

from collections.abc import Iterable
from typing import Any

from hosts.json import moment
from portal.requests.models import Event, Request


def request_json(request: Request) -> dict[str, Any]:
    """The request, whole, without what its machine is told in secret.

    Its project, requester and flavor are to be loaded already.
    """
    flavor = request.flavor
    return {
        "id": request.pk,
        "kind": request.kind,
        "state": request.state,
        "project": request.project_id,
        "project_name": request.project.name,
        "name": request.name,
        "flavor": request.flavor_id,
        "flavor_name": flavor.name if flavor else "",
        "vcpus": request.vcpus,
        "memory_bytes": request.memory_bytes,
        "disk_bytes": request.disk_bytes,
        "image": request.image_id,
        "image_name": request.image_name,
        "network": request.network,
        "reason": request.reason,
        "note": request.note,
        "lease_days": request.lease_days,
        "login": request.login,
        "asked": request.asked or None,
        "requester": request.author,
        "created_at": moment(request.created_at),
        "guest": str(request.guest) if request.guest else None,
        "operation": str(request.operation) if request.operation else None,
        "decided_by": request.decider or None,
        "decided_at": moment(request.decided_at),
        "decision_note": request.decision_note,
        "failure": request.failure,
        "url": f"/api/v1/requests/{request.pk}/",
        "page": request.get_absolute_url(),
    }


def events_json(events: Iterable[Event]) -> list[dict[str, Any]]:
    """What befell a request, oldest first."""
    return [
        {"at": moment(it.at), "what": it.what, "who": it.who, "why": it.why}
        for it in events
    ]
