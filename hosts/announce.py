"""The news of a host for live pages."""

from typing import Any

from hosts import queries
from hosts.json import host_json
from hosts.models import Host
from kvmweb.live import news

_RESTLESS = frozenset({"seen_at", "memory_free_bytes", "numa"})  # numbers tell these
_told: dict[int, dict[str, Any]] = {}  # by host, in this process


def changed(host: Host) -> None:
    """Tell who listens how the host is now."""
    _tell(host.topic, host_json(queries.one(host)))


def changed_if_new(host: Host) -> None:
    """The same, unless this process told the same before."""
    data = host_json(queries.one(host))
    steady = {word: said for word, said in data.items() if word not in _RESTLESS}
    if _told.get(host.pk) != steady:
        _told[host.pk] = steady
        _tell(host.topic, data)


def removed(host_id: int, topic: str) -> None:
    """Tell who listens that there is no such host any more."""
    data = {"id": host_id}
    news.publish_many([("hosts", "removed", data), (topic, "removed", data)])


def _tell(topic: str, data: dict[str, Any]) -> None:
    news.publish_many([("hosts", "state", data), (topic, "state", data)])
