"""An operation as API answers and live messages say it: one shape for both."""

from datetime import UTC, datetime
from typing import Any

from kvmweb.accounts import gate
from kvmweb.accounts.models import User
from kvmweb.operations.discreet import discreet
from kvmweb.operations.models import Operation


def operation_json(
    operation: Operation, children: list[str] | None = None
) -> dict[str, Any]:
    """The operation, whole; asks for its children only where they are not given."""
    return {
        "id": str(operation.pk),
        "kind": operation.kind,
        "state": operation.state,
        "progress": round(operation.progress, 4),
        "phase": operation.phase,
        "guest": str(operation.guest) if operation.guest else None,
        "guest_name": operation.guest_name,
        "host": operation.host,
        "host_name": operation.host_name,
        "requested_by": operation.author or None,
        "created_at": moment(operation.created_at),
        "started_at": moment(operation.started_at),
        "finished_at": moment(operation.finished_at),
        "cancellable": operation.active and _stoppable(operation),
        "cancel_requested_at": moment(operation.cancel_requested_at),
        "message": operation.message,
        "error": _error(operation),
        "result": operation.result,
        "parent": str(operation.parent_id) if operation.parent_id else None,
        "children": _children(operation) if children is None else children,
    }


def for_user(data: dict[str, Any], user: User) -> dict[str, Any]:
    """The same operation without what this person may not know: where it runs."""
    return data if gate.sees_all(user) else discreet(data)


def moment(at: datetime | None) -> str | None:
    """A time as everyone outside reads it: RFC 3339, UTC."""
    if at is None:
        return None
    return at.astimezone(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def _stoppable(operation: Operation) -> bool:
    return operation.state == Operation.State.QUEUED or operation.cancellable


def _error(operation: Operation) -> dict[str, str] | None:
    if not operation.error_code:
        return None
    return {"code": operation.error_code, "message": operation.error_message}


def _children(operation: Operation) -> list[str]:
    if operation.worker or operation.state == Operation.State.QUEUED:
        return []  # only a group has some, and no worker runs it
    rows = Operation.objects.filter(parent=operation).order_by("created_at", "pk")
    return [str(pk) for pk in rows.values_list("pk", flat=True)]
