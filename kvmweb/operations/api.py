"""The API of operations: look, look closely, cancel."""

from typing import Any
from uuid import UUID

from ninja import Query, Router, Schema
from pydantic import Field, ValidationInfo, field_validator, model_validator

from kvmweb import doors
from kvmweb.accounts.gate import Right, door, sees_all
from kvmweb.accounts.requests import UserRequest
from kvmweb.operations import access, queries, services
from kvmweb.operations.json import for_user, moment, operation_json
from kvmweb.operations.models import Operation

router = Router(tags=["operations"])

ORDERINGS = {
    "created_at": "created_at",
    "started_at": "started_at",
    "finished_at": "finished_at",
    "state": "state",
    "kind": "kind",
    "guest_name": "guest_name",
    "host_name": "host_name",
    "requested_by": "author",
    "progress": "progress",
}
_OF_GUESTS = {word: it for word, it in ORDERINGS.items() if word != "host_name"}
STATES = ("", "active", *Operation.State.values)


class OperationError(Schema):
    """Why it failed."""

    code: str
    message: str


class OperationOut(Schema):
    """Something that was asked for, how far it is, and how it ended."""

    id: UUID
    kind: str
    state: Operation.State
    progress: float = Field(ge=0, le=1)
    phase: str
    guest: UUID | None
    guest_name: str
    host: int | None
    host_name: str
    requested_by: str | None
    created_at: str
    started_at: str | None
    finished_at: str | None
    cancellable: bool
    cancel_requested_at: str | None
    message: str
    error: OperationError | None
    result: dict[str, Any]
    parent: UUID | None
    children: list[UUID]

    @model_validator(mode="before")
    @classmethod
    def _of_row(cls, value: Any, info: ValidationInfo) -> Any:
        """A row becomes what the one who asked may know of it."""
        row = getattr(value, "_obj", value)
        if not isinstance(row, Operation):
            return value
        request = (info.context or {})["request"]
        return for_user(operation_json(row), request.user)


class LogLineOut(Schema):
    """One step."""

    at: str
    message: str


class OperationWhole(OperationOut):
    """An operation with what it did, step by step."""

    log: list[LogLineOut]


class OperationQuery(doors.PageQuery):
    """Which operations are asked for."""

    state: str = ""
    kind: str = Field("", max_length=64)
    guest: UUID | None = None
    host: int | None = Field(None, ge=0, le=doors.MAX_INT)
    parent: UUID | None = None

    @field_validator("state")
    @classmethod
    def _known(cls, state: str) -> str:
        if state not in STATES:
            raise ValueError(f"Give one of {', '.join(filter(None, STATES))}.")
        return state


@router.get("", response=doors.Page[OperationOut], url_name="operations")
@door(Right.SIGNED_IN)
def listing(request: UserRequest, query: Query[OperationQuery]) -> dict[str, Any]:
    """Operations, newest first: all for those who run the fleet, else one's own."""
    filters = queries.Filters(
        state=query.state,
        kind=query.kind,
        guest=query.guest,
        host=query.host,
        parent=query.parent,
        search=query.search,
    )
    rows = queries.listing(request.user, filters)
    words = ORDERINGS if sees_all(request.user) else _OF_GUESTS
    page = doors.paged(rows, query, ordering=words)
    page["items"] = [
        for_user(each, request.user) for each in queries.as_json(page["items"])
    ]
    return page


@router.get("{uuid:operation_id}/", response=OperationWhole, url_name="operation")
@door(Right.SIGNED_IN)
def detail(request: UserRequest, operation_id: UUID) -> dict[str, Any]:
    """One operation with its log."""
    found = access.operation(request.user, operation_id)
    log = [
        {"at": moment(line.at), "message": line.message}
        for line in queries.log_for(found, request.user)
    ]
    return for_user(operation_json(found), request.user) | {"log": log}


@router.post(
    "{uuid:operation_id}/cancel/",
    response={200: OperationOut},
    url_name="operation-cancel",
)
@door(Right.SIGNED_IN)
def cancel(request: UserRequest, operation_id: UUID) -> dict[str, Any]:
    """Stop it: at once while it is queued, else as soon as its work looks up."""
    found = access.to_cancel(request.user, operation_id)
    stopped = services.cancel(found, by=request.user, address=request.client_address)
    return for_user(operation_json(stopped), request.user)
