"""Hosts: where guests run."""

from importlib import import_module

from django.apps import AppConfig


class HostsConfig(AppConfig):
    """Hosts, their pools and networks, and the watcher."""

    name = "hosts"

    def ready(self) -> None:
        """Plug in: what is done to hosts, what is heard of them, who listens."""
        for room in ("work", "networks.work", "facts", "topics", "metrics"):
            import_module(f"hosts.{room}")
