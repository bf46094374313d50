"""Hosts: where guests run."""

from importlib import import_module

from django.apps import AppConfig

_ROOMS = ("work", "networks.work", "facts", "topics", "metrics")
_OF_STORAGE = (
    "storage.work",
    "storage.filling",
    "storage.fetching",
    "storage.pool_work",
    "storage.facts",
)


class HostsConfig(AppConfig):
    """Hosts, their pools and networks, and the watcher."""

    name = "hosts"

    def ready(self) -> None:
        """Plug in: what is done to hosts, what is heard of them, who listens."""
        for room in (*_ROOMS, *_OF_STORAGE):
            import_module(f"hosts.{room}")
