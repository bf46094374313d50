"""What befalls a request is written down here: its state, who, when, why, and the news."""

from django.utils import timezone

from kvmweb.accounts import audit
from kvmweb.accounts.models import User
from kvmweb.accounts.services import Asker
from kvmweb.live import news
from portal.requests.json import request_json
from portal.requests.models import Event, Request
from portal.requests.states import State, need_way

SYSTEM = "kvmweb"


def became(request: Request, state: State, *, who: str, why: str = "") -> None:
    """It is so from now on. Raises Conflict when it cannot become so from what it is."""
    need_way(request.name, request.state, state)
    request.state = state
    happened(request, state, who=who, why=why)


def happened(request: Request, what: str, *, who: str, why: str = "") -> None:
    """Store the request as it is now, and what befell it; tell live pages."""
    request.save()
    Event.objects.create(
        request=request, what=what, who=who, why=why, at=timezone.now()
    )
    data = request_json(request)
    news.publish_many((name, "state", data) for name in ("requests", request.topic))


def decided(request: Request, by: User | None, who: str, note: str) -> None:
    """Remember who decided, and what they said."""
    request.decided_by, request.decider = by, who
    request.decision_note, request.decided_at = note, timezone.now()


def record(action: str, request: Request, by: Asker | None, **details: object) -> None:
    """One row of the audit record; with nobody, the product itself did it."""
    audit.record(
        action,
        actor=by.user if by else SYSTEM,
        target=request.topic,
        outcome="succeeded",
        address=by.address if by else "",
        details={
            "name": request.name,
            "project": request.project.name,
            "kind": request.kind,
            **details,
        },
    )
