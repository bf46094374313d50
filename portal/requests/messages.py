"""Telling people about requests: who decides, and who asked."""

from collections.abc import Iterable
from typing import Any

from django.db.models import Q

from kvmweb.accounts.models import Member, Role, User
from kvmweb.sizes import amount
from portal.requests.json import request_json
from portal.requests.models import Request
from portal.requests.states import Kind, State
from portal.telling.services import tell

_WORDS = {
    Kind.NEW: "the machine {name}",
    Kind.RESIZE: "another size of {name}",
    Kind.EXTEND: "more time for {name}",
}


def asked(request: Request) -> None:
    """Those who decide: somebody waits for them."""
    title = f"{request.author} asks for {_what(request)}"
    text = f"In {request.project}: {_size(request)}. {request.reason}".strip()
    _tell("request.asked", approvers(request), request, title, text)


def decided(request: Request) -> None:
    """Who asked: yes or no."""
    approved = request.state != State.REJECTED
    word = "approved" if approved else "rejected"
    title = f"{_what(request).capitalize()} is {word}"
    by = f"{request.decider} {word} it."
    less = " It is smaller than you asked for." if request.asked else ""
    text = f"{by}{less} {request.decision_note}".strip()
    _tell(f"request.{word}", _requester(request), request, title, text)


def ready(request: Request) -> None:
    """Who asked: it is there."""
    title = f"{_what(request).capitalize()} is ready"
    text = f"In {request.project}: {_size(request)}."
    _tell("request.ready", _requester(request), request, title, text)


def failed(request: Request) -> None:
    """Who asked, and who approved: it did not work out."""
    title = f"{_what(request).capitalize()} could not be had"
    people = [*_requester(request), *filter(None, [request.decided_by])]
    _tell("request.failed", people, request, title, request.failure)


def approvers(request: Request) -> list[User]:
    """Who decides about it, but for who asked: in one query."""
    owners = Member.objects.filter(project=request.project, role=Member.Role.OWNER)
    rows = User.objects.filter(
        Q(role__in=(Role.ADMIN, Role.OPERATOR)) | Q(pk__in=owners.values("user")),
        is_active=True,
    )
    return list(rows.exclude(pk=request.requester_id or 0))


def _requester(request: Request) -> list[User]:
    return [request.requester] if request.requester else []


def _what(request: Request) -> str:
    return _WORDS[Kind(request.kind)].format(name=request.name)


def _size(request: Request) -> str:
    if request.kind == Kind.EXTEND:
        return f"{request.lease_days} days more"
    cpus = "1 vCPU" if request.vcpus == 1 else f"{request.vcpus} vCPUs"
    return f"{cpus}, {amount(request.memory_bytes)} of memory"


def _tell(
    event: str, people: Iterable[User], request: Request, title: str, text: str
) -> None:
    page = request.get_absolute_url()
    data: dict[str, Any] = request_json(request)
    tell(event, people, title=title, text=text, page=page, data=data)
