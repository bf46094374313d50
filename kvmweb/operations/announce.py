"""The news of an operation, to whoever listens to it, its guest or its host."""

from kvmweb.live import news
from kvmweb.operations.json import operation_json
from kvmweb.operations.models import Operation


def changed(operation: Operation) -> None:
    """Tell who listens to operations, to its guest and to its host."""
    data = operation_json(operation)
    topics = ["operations"]
    if operation.guest:
        topics.append(f"guest:{operation.guest}")
    if operation.host is not None:
        topics.append(f"host:{operation.host}")
    news.publish_many([(topic, "operation", data) for topic in topics])
