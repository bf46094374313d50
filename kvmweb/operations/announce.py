"""An operation as JSON, and the news of it."""

from typing import Any

from kvmweb.live import news
from kvmweb.operations.models import Operation


def operation_json(
    operation: Operation, *, children: list[str] | None = None
) -> dict[str, Any]:
    """The operation as the API and live pages show it."""
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
        "created_at": _time(operation.created_at),
        "started_at": _time(operation.started_at),
        "finished_at": _time(operation.finished_at),
        "cancel_requested_at": _time(operation.cancel_requested_at),
        "message": operation.message,
        "error": _error(operation),
        "result": operation.result,
        "parent": str(operation.parent_id) if operation.parent_id else None,
        "children": children or [],
    }


def changed(operation: Operation) -> None:
    """Tell who listens to operations, to its guest and to its host."""
    data = operation_json(operation)
    topics = ["operations"]
    if operation.guest:
        topics.append(f"guest:{operation.guest}")
    if operation.host is not None:
        topics.append(f"host:{operation.host}")
    news.publish_many([(topic, "operation", data) for topic in topics])


def _time(at: Any) -> str | None:
    return at.isoformat().replace("+00:00", "Z") if at else None


def _error(operation: Operation) -> dict[str, str] | None:
    if not operation.error_code:
        return None
    return {"code": operation.error_code, "message": operation.error_message}
